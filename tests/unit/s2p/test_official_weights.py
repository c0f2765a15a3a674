"""Official networks' files: what is refused before it can do harm, and what the error says."""

import base64
import json
import marshal
import shutil
from pathlib import Path

import h5py
import pytest

from common.errors import ModelMissingError
from workers.s2p.official.weights import find_official, load_net, load_official

NETS = Path(__file__).parents[2] / "golden" / "s2p" / "nets"


@pytest.fixture
def folder(tmp_path):
    shutil.copytree(NETS, tmp_path / "nets")
    return tmp_path / "nets"


def edit_config(path, change):
    with h5py.File(path, "r+") as file:
        config = json.loads(file.attrs["model_config"])
        change(config)
        file.attrs["model_config"] = json.dumps(config)


def test_a_text_file_is_named_as_none(folder):
    (folder / "head.net").write_text("404: not found")
    with pytest.raises(ModelMissingError, match=r"head\.net: not an HDF5 file"):
        load_official(folder)


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_a_file_cut_off_is_refused(folder, share):
    path = folder / "neck.net"
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * share)])
    with pytest.raises(ModelMissingError, match=r"neck\.net: damaged, cut off"):
        load_official(folder)


@pytest.mark.parametrize(
    ("wrong", "right", "message"),
    [
        ("reader", "tail", r"tail\.net: the wrong network: it has inputs of \[3\] and outputs of \[4, 6, 8\]"),
        ("tail", "head", r"head\.net: the wrong network.*sketch, hints, the reader's features"),
        ("head", "reader", r"reader\.net: the wrong network"),
        ("tail", "neck", r"neck\.net: the wrong network"),
    ],
)
def test_the_wrong_network_is_told_with_what_would_be_right(folder, wrong, right, message):
    shutil.copy(NETS / f"{wrong}.net", folder / f"{right}.net")
    with pytest.raises(ModelMissingError, match=message):
        load_official(folder)


def test_a_lambda_layer_is_refused_unread(folder):
    def add_lambda(config):
        layer = {
            "class_name": "Lambda",
            "name": "boom",
            "inbound_nodes": [],
            "config": {"name": "boom", "function": ["4wEA", None, None]},
        }
        config["config"]["layers"].append(layer)

    edit_config(folder / "tail.net", add_lambda)
    with pytest.raises(ModelMissingError, match=r"tail\.net: layer 'boom' is a Lambda, which holds code"):
        load_official(folder)


def test_code_deep_inside_is_refused_too(folder):
    def nest_lambda(config):
        inner = {"class_name": "Lambda", "config": {"name": "deep"}}
        config["config"]["layers"].append(
            {"class_name": "TimeDistributed", "name": "outer", "config": {"layer": inner}}
        )

    def name_function(config):
        config["config"]["layers"][1]["config"]["activation"] = {
            "class_name": "__lambda__",
            "config": {"value": ["4wEA"]},
        }

    def make_up(config):
        config["config"]["layers"][1]["class_name"] = "os.system"

    for net, change, message in (
        ("tail", nest_lambda, "layer 'outer' is of the unknown kind 'TimeDistributed'"),
        ("reader", name_function, "is of the unknown kind '__lambda__'"),
        ("head", make_up, "is of the unknown kind 'os.system'"),
    ):
        edit_config(folder / f"{net}.net", change)
        with pytest.raises(ModelMissingError, match=message):
            load_net(folder / f"{net}.net")


def test_a_value_that_keras_would_build_by_itself_is_refused_before_it_runs(folder, tmp_path):
    """tf-keras builds any dict that says so, under any key, and runs functions in it, outside of its safe mode."""
    mark = tmp_path / "it-ran"
    code = compile(f"open({str(mark)!r}, 'w').close()", "net", "exec")
    function = [base64.b64encode(marshal.dumps(code)).decode(), None, None]
    wrapped = {"class_name": "LSTMCell", "config": {"units": 1}}
    gadget = {
        "__passive_serialization__": True,
        "class_name": "RNN",
        "config": {
            "cell": {
                "class_name": "ResidualWrapper",
                "config": {"cell": wrapped, "residual_fn": function, "residual_fn_type": "lambda"},
            }
        },
    }
    edit_config(folder / "tail.net", lambda config: config["config"]["layers"][1]["config"].update(x=gadget))
    with pytest.raises(ModelMissingError, match=r"Nurie loads no code|of the unknown kind"):
        load_net(folder / "tail.net")
    assert not mark.exists()


@pytest.mark.parametrize("extra", [{"mask_type": "lambda"}, {"module": "os"}, {"__passive_serialization__": 1}])
def test_what_hints_at_code_is_refused(folder, extra):
    edit_config(folder / "tail.net", lambda config: config["config"]["layers"][1]["config"].update(x=extra))
    with pytest.raises(ModelMissingError, match="holds a function, which is code"):
        load_net(folder / "tail.net")


def test_numbers_in_another_file_and_layers_beyond_memory_are_refused(folder, tmp_path):
    raw = tmp_path / "raw.bin"
    raw.write_bytes(bytes(16))
    with h5py.File(folder / "head.net", "r+") as file:
        file.create_dataset("elsewhere", (4,), "f4", external=[(str(raw), 0, 16)])
    with pytest.raises(ModelMissingError, match="elsewhere lies in another file"):
        load_net(folder / "head.net")
    edit_config(folder / "tail.net", lambda config: config["config"]["layers"][2]["config"].update(filters=10**9))
    with pytest.raises(ModelMissingError, match=r"filters of 1000000000 are over the limit"):
        load_net(folder / "tail.net")


def test_a_network_of_one_size_is_named_as_such(folder):
    def fix_size(config):
        config["config"]["layers"][0]["config"]["batch_input_shape"] = [None, 30, 30, 3]

    edit_config(folder / "tail.net", fix_size)
    with pytest.raises(ModelMissingError, match=r"tail\.net: does not run on 128×64 px"):
        load_official(folder)


def test_weights_alone_and_links_elsewhere_are_refused(folder):
    with h5py.File(folder / "tail.net", "r+") as file:
        file["elsewhere"] = h5py.ExternalLink("/etc/hostname", "/")
    with pytest.raises(ModelMissingError, match="elsewhere links to elsewhere"):
        load_net(folder / "tail.net")
    with h5py.File(folder / "head.net", "r+") as file:
        del file.attrs["model_config"]
    with pytest.raises(ModelMissingError, match="holds no network"):
        load_net(folder / "head.net")


def test_a_missing_file_is_named_and_an_empty_folder_means_the_embedded_painter(folder, tmp_path):
    (folder / "neck.net").unlink()
    with pytest.raises(ModelMissingError, match=r"neck\.net not found beside tail\.net"):
        find_official(folder)
    with pytest.raises(ModelMissingError, match=r"neck\.net: not found; Style2Paints needs tail\.net"):
        load_official(folder)
    assert not find_official(tmp_path / "nothing")
