"""What operators do to an installation: `nurie models …`, `nurie admin tenant|key …`, `nurie doctor`."""

import argparse
import contextlib
import os
import sys
from contextlib import closing
from pathlib import Path

from rich.console import Console

from admin import tenants
from admin.adding import add_set
from admin.checking import check_set
from admin.doctor import examine
from admin.findings import format_json, is_broken, show
from admin.hub import Hub
from admin.installation import ROOT
from admin.models import MODEL_SETS, SOURCES, describe_sets, fetch_set
from common.errors import NurieError
from common.settings import Settings


def main(arguments: list[str] | None = None) -> int:
    """Run the command.

    Returns:
        The exit code: 1 when a check found something wrong, 2 when the command could not be done, 130 after Ctrl-C.
    """
    options = _parse_arguments(arguments)
    if options.room == "doctor":
        return _examine(options)  # makes its own word of settings that are wrong
    settings = Settings()
    try:
        if options.room == "admin":
            tenants.run(options, settings, Console())
            return 0
        return _MODEL_ACTIONS[options.action](options, settings.models)
    except (NurieError, OSError) as error:
        print(f"nurie: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        goes_on = options.room == "models" and options.action == "fetch"
        print(f"nurie: stopped{'; run it again to go on from here' if goes_on else ''}", file=sys.stderr)
        return 130


def _examine(options: argparse.Namespace) -> int:
    with contextlib.chdir(ROOT):  # as Nurie's processes
        findings = examine(ROOT)
    if options.json:
        print(format_json(findings))
    else:
        show(findings, Console())
    return 1 if is_broken(findings) else 0


def _list_models(_options: argparse.Namespace, models: Path) -> int:
    print(describe_sets(models))
    return 0


def _fetch_models(options: argparse.Namespace, models: Path) -> int:
    source = SOURCES[options.set]
    with closing(Hub(os.environ.get(source.mirror_variable) or source.endpoint)) as hub:
        fetch_set(MODEL_SETS[options.set], models, hub, Console())
    return 0


def _add_models(options: argparse.Namespace, models: Path) -> int:
    add_set(MODEL_SETS[options.set], options.path, models, Console(), replace=options.replace)
    return 0


def _check_models(options: argparse.Namespace, models: Path) -> int:
    sets = [MODEL_SETS[options.set]] if options.set else list(MODEL_SETS.values())
    checks = [check_set(chosen, chosen.folder(models)) for chosen in sets]
    print("\n".join(line for check in checks for line in check.describe()))
    return 0 if all(check.is_good for check in checks) else 1


_MODEL_ACTIONS = {"list": _list_models, "fetch": _fetch_models, "add": _add_models, "check": _check_models}


def _parse_arguments(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="nurie", description=__doc__)
    rooms = parser.add_subparsers(dest="room", required=True)
    admin = rooms.add_parser("admin", help="who may use this installation")
    tenants.add_parsers(admin.add_subparsers(dest="subject", required=True))
    models = rooms.add_parser("models", help="weights that people may install (folder: NURIE_MODELS)")
    actions = models.add_subparsers(dest="action", required=True)
    actions.add_parser("list", help="say what is here, what is missing, and what is used")
    mirrors = (f"{its.mirror_variable} names a mirror of {its.endpoint} ({name})" for name, its in SOURCES.items())
    explained = "Environment: " + "; ".join(mirrors) + "."
    fetch = actions.add_parser("fetch", help="download a set, or what is missing of it", epilog=explained)
    fetch.add_argument("set", choices=tuple(SOURCES))
    add = actions.add_parser("add", help="put a set that you have already in its place, when all of it is good")
    add.add_argument("set", choices=tuple(MODEL_SETS))
    add.add_argument("path", type=Path, metavar="PATH", help="a folder with its files, or its file where it has one")
    add.add_argument("--replace", action="store_true", help="also where files with other bytes are here already")
    check = actions.add_parser("check", help="say of what is installed whether it is whole, and what its stage says")
    check.add_argument("set", nargs="?", choices=tuple(MODEL_SETS))
    doctor = rooms.add_parser("doctor", help="say whether this installation is fit to run; changes nothing")
    doctor.add_argument("--json", action="store_true", help="a list of objects: state, what, detail, remedy")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
