"""Official checkpoints: what loads, what is refused before it can do harm, and what the error says."""

import pickle
import zipfile

import pytest
import torch

from common.errors import ModelMissingError
from workers.inknhue.network import Autoencoder, AutoencoderConfig
from workers.inknhue.official.shader_network import ShadingGenerator
from workers.inknhue.official.weights import digest_official, load_autoencoder, load_shader, read_checkpoint
from workers.inknhue.weights import CONDITIONAL, FIRST_STAGE, SHADER

SMALL = AutoencoderConfig(channels=8, multipliers=(1, 2), blocks=1, z_channels=4, embed_channels=4, groups=4)


@pytest.fixture
def network():
    torch.manual_seed(0)
    return Autoencoder(SMALL)


@pytest.fixture
def folder(tmp_path, network):
    """Files laid out as the original's, of a small network."""
    parts = {name: getattr(network, name).state_dict() for name, _ in network.named_children()}
    first = {
        f"{part}.{key}": tensor
        for part in ("encoder", "quant_conv", "post_quant_conv")
        for key, tensor in parts[part].items()
    }
    unused = {"decoder.conv_in.weight": torch.zeros(1), "loss.logvar": torch.zeros(())}
    second = {f"{part}_state_dict": parts[part] for part in ("cond_encoder", "cond_decoder")}
    for name, content in ((FIRST_STAGE, {"state_dict": first | unused}), (CONDITIONAL, second)):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        torch.save(content, tmp_path / name)
    return tmp_path


def edit(path, change):
    content = torch.load(path, weights_only=True)
    change(content)
    torch.save(content, path)


def test_all_tensors_come_from_the_two_files(folder, network):
    loaded = load_autoencoder(folder, SMALL)
    assert not loaded.training
    for name, tensor in network.state_dict().items():
        assert torch.equal(loaded.state_dict()[name], tensor), name
    assert not any(parameter.is_meta for parameter in loaded.parameters())


def test_the_first_wrong_key_is_named(folder):
    changes = [
        (FIRST_STAGE, lambda c: c["state_dict"].pop("encoder.conv_in.bias"), "encoder: key conv_in.bias is missing"),
        (FIRST_STAGE, lambda c: c["state_dict"].update(more=torch.zeros(1)), "unknown key more"),
        (FIRST_STAGE, lambda c: c.pop("state_dict"), "key state_dict is missing"),
        (FIRST_STAGE, lambda c: c["state_dict"].update({3: torch.zeros(1)}), "unknown key 3"),
        (CONDITIONAL, lambda c: c["cond_encoder_state_dict"].update({3: torch.zeros(1)}), "unknown key 3"),
        (
            CONDITIONAL,
            lambda c: c["cond_encoder_state_dict"].update({"conv_in.bias": torch.zeros(8).to_sparse()}),
            "conv_in.bias holds torch.float32",
        ),
        (
            CONDITIONAL,
            lambda c: c["cond_encoder_state_dict"].update({"conv_in.bias": torch.zeros(8, dtype=torch.int64)}),
            "conv_in.bias holds torch.int64",
        ),
        (CONDITIONAL, lambda c: c.pop("cond_decoder_state_dict"), "key cond_decoder_state_dict is missing"),
        (CONDITIONAL, lambda c: c["cond_encoder_state_dict"].update(more=torch.zeros(1)), "unknown key more"),
        (CONDITIONAL, lambda c: c["cond_encoder_state_dict"].update({"conv_in.bias": 3}), "conv_in.bias is no tensor"),
    ]
    for name, change, message in changes:
        before = (folder / name).read_bytes()
        edit(folder / name, change)
        with pytest.raises(ModelMissingError, match=f"{name}: .*{message}"):
            load_autoencoder(folder, SMALL)
        (folder / name).write_bytes(before)


def test_a_network_of_another_config_is_told_by_its_first_wrong_shape(folder):
    with pytest.raises(ModelMissingError, match=r"encoder: conv_in.weight is \(8, 3, 3, 3\), not \(128, 3, 3, 3\)"):
        load_autoencoder(folder)


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.95])
def test_a_file_cut_off_is_refused(folder, share):
    data = (folder / CONDITIONAL).read_bytes()
    (folder / CONDITIONAL).write_bytes(data[: int(len(data) * share)])
    with pytest.raises(ModelMissingError, match=r"model_epoch000019\.ckpt: damaged, cut off"):
        load_autoencoder(folder, SMALL)


def test_a_missing_or_foreign_file_is_named(folder):
    (folder / FIRST_STAGE).write_text("404: not found")
    with pytest.raises(ModelMissingError, match=r"kl-f8\.ckpt: damaged, cut off, or no PyTorch checkpoint"):
        load_autoencoder(folder, SMALL)
    torch.save([1, 2], folder / FIRST_STAGE)
    with pytest.raises(ModelMissingError, match=r"kl-f8\.ckpt: holds a list, not a dict"):
        load_autoencoder(folder, SMALL)
    (folder / FIRST_STAGE).unlink()
    with pytest.raises(ModelMissingError, match=r"kl-f8\.ckpt: not found"):
        load_autoencoder(folder, SMALL)


def test_what_a_file_unpacks_to_counts(folder, monkeypatch):
    packed = folder / "packed.ckpt"
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("archive/data/0", bytes(1_000_000))
    assert packed.stat().st_size < 2000
    monkeypatch.setattr("workers.inknhue.official.weights.MAX_BYTES", 10_000)
    with pytest.raises(ModelMissingError, match="1000000 bytes are over the limit"):
        read_checkpoint(packed)


class Harmless:
    """Unpickled, it would write a file."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return (open, (str(self.path), "w"))


@pytest.mark.parametrize("is_zip", [False, True])
def test_a_pickle_with_code_in_it_is_refused_and_does_not_run(folder, is_zip):
    proof = folder / "proof"
    if is_zip:
        torch.save({"state_dict": Harmless(proof)}, folder / FIRST_STAGE)
        assert zipfile.is_zipfile(folder / FIRST_STAGE)
    else:
        (folder / FIRST_STAGE).write_bytes(pickle.dumps({"state_dict": Harmless(proof)}))
    with pytest.raises(ModelMissingError, match=r"kl-f8\.ckpt: holds code or objects besides tensors"):
        load_autoencoder(folder, SMALL)
    assert not proof.exists()


def test_a_file_over_the_limit_is_refused_unread(folder, monkeypatch):
    monkeypatch.setattr("workers.inknhue.official.weights.MAX_BYTES", 10)
    with pytest.raises(ModelMissingError, match="over the limit of 10"):
        read_checkpoint(folder / FIRST_STAGE)


@pytest.mark.parametrize("prefix", ["", "generator."])
def test_the_shader_loads_with_and_without_its_prefix(tmp_path, prefix):
    assert load_shader(tmp_path) is None
    with torch.device("meta"):
        wanted = ShadingGenerator().state_dict()
    # One tensor each, seen in the shape that is wanted: a file of a few kB instead of 129 MB.
    tensors = {prefix + key: torch.zeros((), dtype=each.dtype).expand(each.shape) for key, each in wanted.items()}
    (tmp_path / SHADER).parent.mkdir()
    torch.save(tensors, tmp_path / SHADER)
    assert sum(tensor.numel() for tensor in load_shader(tmp_path).state_dict().values()) > 32e6
    tensors.pop(next(iter(tensors)))
    torch.save(tensors, tmp_path / SHADER)
    with pytest.raises(ModelMissingError, match=r"shader\.ckpt: key .* is missing"):
        load_shader(tmp_path)


def test_the_digest_changes_with_any_of_the_files(folder):
    digests = {digest_official(folder)}
    for name in (FIRST_STAGE, CONDITIONAL, SHADER):
        with (folder / name).open("ab") as file:
            file.write(b"x")
        digests.add(digest_official(folder))
    assert len(digests) == 4
