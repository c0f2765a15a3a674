"""`make requirements`: pins requirements/*.in in requirements/*.txt, and changes no pin that nobody asked to change.

All lists that are deployed are solved together first, then all others within their versions: a package has one version
in every list, and no tool holds back what is deployed. The lists as they are say what is preferred: only what the
sources no longer allow moves, or what `--upgrade` names. Nothing is written unless every list was solved.
"""

import argparse
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path

from supply.lists import REQUIREMENTS, ROOT, name_deployed, name_sources, normalise, parse_pins

# What a CUDA build of torch brings along. A CPU build brings nothing, so it is installed with torch and not pinned.
OF_CUDA_TORCH = re.compile(r"(nvidia|cuda|triton)(-|$)")
# The same lists on every machine: those of the images, whatever runs this.
PLATFORM = ("--python-version", "3.11", "--python-platform", "x86_64-manylinux_2_28")
BARE = ("--no-header", "--no-annotate", "--no-emit-index-url", "--no-emit-find-links")


def gather_seed(names: Iterable[str], folder: Path) -> str:
    """Gather what is pinned now, one version of each package: that of the first list that has it."""
    pins: dict[str, str] = {}
    for path in (folder / f"{name}.txt" for name in names):
        for pin in parse_pins(path.read_text(encoding="utf-8")) if path.exists() else []:
            pins.setdefault(pin.name, pin.version)
    return "".join(f"{name}=={version}\n" for name, version in sorted(pins.items()))


def name_direct(folder: Path) -> frozenset[str]:
    """Name the packages that the sources themselves ask for."""
    lines = (line for path in folder.glob("*.in") for line in path.read_text(encoding="utf-8").splitlines())
    names = (re.match(r"[A-Za-z0-9][A-Za-z0-9._-]*", line) for line in lines)
    return frozenset(normalise(name[0]) for name in names if name)


def clean(text: str, direct: Iterable[str]) -> str:
    """Take out of a list what depends on the build of torch that the index offered.

    Args:
        text: a list as uv writes it.
        direct: names that some source asks for: these stay, whatever they are called.
    """
    kept = set(direct)
    lines = []
    for line in text.splitlines():
        name = normalise(line.partition("==")[0])
        if OF_CUDA_TORCH.match(name) and name not in kept:
            continue
        lines.append(re.sub(r"^([A-Za-z0-9._-]+==[^\s;+]+)\+[^\s;]+", r"\1", line))
    return "".join(f"{line}\n" for line in lines)


def solve(uv: Path, sources: Sequence[Path], output: Path, options: Sequence[str]) -> None:
    """Solve sources together; `output` as it is says which versions are preferred.

    Raises:
        subprocess.CalledProcessError: there is no solution, or no index; uv has said which on stderr.
    """
    overrides = sources[0].parent / "overrides.txt"
    how = (*PLATFORM, *BARE, "--override", str(overrides), *options)
    command = [str(uv), "pip", "compile", "-q", *how, *map(str, sources), "-o", str(output)]
    subprocess.run(command, check=True, cwd=ROOT, stdout=subprocess.DEVNULL)  # noqa: S603


def solve_together(
    uv: Path, names: Sequence[str], output: Path, options: Sequence[str], folder: Path = REQUIREMENTS
) -> list[str]:
    """Solve several lists together.

    Args:
        uv: the program uv.
        names: of the lists.
        output: where the versions go, one a line.
        options: for uv.
        folder: where the sources and the lists lie.

    Returns:
        The options with which a list keeps to these versions.
    """
    output.write_text(gather_seed(names, folder), encoding="utf-8")
    solve(uv, [folder / f"{name}.in" for name in names], output, options)
    # Our own package's folder cannot be a constraint, and need not be one.
    pins = parse_pins(clean(output.read_text(encoding="utf-8"), name_direct(folder)))
    output.write_text("".join(f"{pin.name}=={pin.version}\n" for pin in pins), encoding="utf-8")
    return [*options, "--constraint", str(output)]


def pin_all(uv: Path, options: Sequence[str], folder: Path = REQUIREMENTS) -> list[str]:
    """Solve all lists and write those that change.

    Args:
        uv: the program uv.
        options: what uv is told about upgrades.
        folder: where the sources and the lists lie.

    Returns:
        The names of the lists that changed.
    """
    direct, solved = name_direct(folder), {}
    with tempfile.TemporaryDirectory() as temporary:
        deployed = solve_together(uv, name_deployed(folder), Path(temporary) / "deployed", options, folder)
        everywhere = solve_together(uv, name_sources(folder), Path(temporary) / "everywhere", deployed, folder)
        for name in name_sources(folder):
            written, draft = folder / f"{name}.txt", Path(temporary) / f"{name}.txt"
            before = written.read_text(encoding="utf-8") if written.exists() else ""
            draft.write_text(before, encoding="utf-8")
            solve(uv, [folder / f"{name}.in"], draft, everywhere)
            after = clean(draft.read_text(encoding="utf-8"), direct)
            if after != before:
                solved[name] = after
    for name, text in solved.items():
        (folder / f"{name}.txt").write_text(text, encoding="utf-8")
    return sorted(solved)


def choose_options(upgrade: str) -> list[str]:
    """Turn what UPGRADE= says into uv's options: nothing, `1` for everything, or packages with commas or spaces."""
    if upgrade in {"", "0"}:
        return []
    if upgrade in {"1", "all"}:
        return ["--upgrade"]
    return [f"--upgrade-package={name}" for name in re.split(r"[\s,]+", upgrade.strip())]


def main() -> int:
    parser = argparse.ArgumentParser(prog="make requirements", description=__doc__.splitlines()[0])
    parser.add_argument("--uv", type=Path, default=ROOT / ".venvs/uv/bin/uv")
    parser.add_argument("--upgrade", default="", help="1 for everything, or names of packages")
    arguments = parser.parse_args()
    try:
        changed = pin_all(arguments.uv, choose_options(arguments.upgrade))
    except subprocess.CalledProcessError as problem:
        print(f"requirements: nothing was written; uv ended with {problem.returncode}", file=sys.stderr)
        return 1
    print("requirements: " + (f"changed: {', '.join(changed)}" if changed else "nothing changed"))
    return 0


if __name__ == "__main__":
    sys.exit(main())
