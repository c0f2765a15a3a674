"""Paints one page in a process of its own, and prints the process's peak resident memory in kB: PAGE HINTS."""

import sys
from pathlib import Path

from common.hints import parse_hints
from common.imaging import decode_image
from workers.s2p.embedded import EmbeddedPainter

if __name__ == "__main__":
    page, hints = (Path(argument) for argument in sys.argv[1:])
    EmbeddedPainter().paint(decode_image(page.read_bytes(), str(page)), parse_hints(hints.read_bytes(), str(hints)))
    status = Path("/proc/self/status").read_text().splitlines()
    print(next(line for line in status if line.startswith("VmHWM")).split()[1])
