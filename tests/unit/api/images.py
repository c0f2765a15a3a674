"""What tests read of docker/: the stages of its Dockerfile, the rules of .dockerignore, and what code imports."""

import ast
import json
import re
import shlex
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
DOCKER = ROOT / "docker"
PROCFILE = dict(line.split(": ", 1) for line in (ROOT / "Procfile").read_text().splitlines())


@dataclass
class BuildStage:
    """One FROM of the Dockerfile with its instructions, such as ("COPY", "common/ common/")."""

    name: str
    parent: str
    steps: list[tuple[str, str]] = field(default_factory=list)


def read_stages() -> dict[str, BuildStage]:
    """The stages of docker/Dockerfile by their names."""
    text = re.sub(r"^\s*#.*\n", "", (DOCKER / "Dockerfile").read_text(), flags=re.MULTILINE)
    stages: dict[str, BuildStage] = {}
    stage = None
    for line in re.sub(r"\\\n\s*", "", text).splitlines():
        instruction, _, rest = line.strip().partition(" ")
        if instruction == "FROM":
            parent, name = re.fullmatch(r"(\S+) AS (\S+)", rest).groups()
            stage = stages[name] = BuildStage(name, parent)
        elif instruction and stage:
            stage.steps.append((instruction, rest))
    return stages


def steps_of(stages: dict[str, BuildStage], name: str) -> list[tuple[str, str]]:
    """All that makes a stage, its ancestors' instructions first."""
    inherited = steps_of(stages, stages[name].parent) if stages[name].parent in stages else []
    return inherited + stages[name].steps


def last_of(steps: list[tuple[str, str]], instruction: str) -> str | None:
    return next((rest for name, rest in reversed(steps) if name == instruction), None)


def all_of(steps: list[tuple[str, str]], instruction: str) -> list[str]:
    return [rest for name, rest in steps if name == instruction]


def copied_sources(steps: list[tuple[str, str]]) -> list[str]:
    """What is copied from the repository, as it is written; not what comes from other stages."""
    words = [rest.split() for rest in all_of(steps, "COPY")]
    return [source for one in words if not one[0].startswith("--from=") for source in one[:-1]]


def stages_copied_from(steps: list[tuple[str, str]]) -> list[str]:
    return [match[1] for rest in all_of(steps, "COPY") if (match := re.match(r"--from=(\S+)", rest))]


def environment_of(steps: list[tuple[str, str]]) -> dict[str, str]:
    return dict(pair.split("=", 1) for rest in all_of(steps, "ENV") for pair in shlex.split(rest))


def exec_form(text: str) -> list[str]:
    """The words of a CMD; fails for the shell form, behind which no signal arrives."""
    return json.loads(text)


def procfile_command(name: str) -> list[str]:
    """A process of the Procfile as a container runs it: alone in its environment, under a name without its pid."""
    words = shlex.split(PROCFILE[name].replace("-$$", ""))
    start = next(index for index, word in enumerate(words) if word.startswith(".venv"))
    return [Path(words[start]).name, *words[start + 1 :]]


def is_ignored(path: str) -> bool:
    """Whether .dockerignore keeps a path of the repository out of the build: the last rule that fits decides."""
    parts = path.split("/")
    paths = ["/".join(parts[: end + 1]) for end in range(len(parts))]
    ignored = False
    for line in (ROOT / ".dockerignore").read_text().splitlines():
        rule = line.strip()
        if rule and not rule.startswith("#"):
            pattern = re.escape(rule.removeprefix("!")).replace(r"\*\*/", "(.*/)?").replace(r"\*", "[^/]*")
            if any(re.fullmatch(pattern, one) for one in paths):
                ignored = not rule.startswith("!")
    return ignored


def find_module(name: str) -> Path | None:
    """The file of one of our modules."""
    path = ROOT / name.replace(".", "/")
    return next((file for file in (path / "__init__.py", path.with_suffix(".py")) if file.is_file()), None)


def follow_imports(entry: str) -> tuple[set[str], set[str]]:
    """Returns our modules that an entry module may load, itself included, and the top-level names of all others."""
    ours: set[str] = set()
    others: set[str] = set()
    waiting = [entry]
    while waiting:
        name = waiting.pop()
        if find_module(name.partition(".")[0]) is None:
            others.add(name.partition(".")[0])
            continue
        for end in range(1, name.count(".") + 2):
            module = ".".join(name.split(".")[:end])
            if module not in ours and (file := find_module(module)):
                ours.add(module)
                waiting += imports_of(file)
    return ours, others


def imports_of(file: Path) -> list[str]:
    """Modules that a file imports, also inside functions; not what only type checkers read."""
    found: list[str] = []
    waiting: list[ast.AST] = [ast.parse(file.read_text())]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING"):
            waiting += node.orelse
            continue
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            found += [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
        waiting += ast.iter_child_nodes(node)
    return found
