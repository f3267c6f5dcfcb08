"""The benchmark of speed tells what it measured, and what of the wishes is reached."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import pytest
import speed


@pytest.mark.skipif(sys.platform == "win32", reason="needs os.wait4")
def test_a_run_is_timed_with_its_children(tmp_path: Path) -> None:
    busy = "import time; s = time.process_time()\nwhile time.process_time() - s < 0.2: pass"
    outer = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {busy!r}])"
    run = speed.timed(speed.Command([sys.executable, "-c", outer]), tmp_path)
    assert run.processor > 0.2
    assert run.megabytes > 1
    with pytest.raises(SystemExit, match="exit status 3"):
        speed.timed(speed.Command([sys.executable, "-c", "raise SystemExit(3)"]), tmp_path)


def test_what_is_reached_is_told_round_by_round() -> None:
    def runs(*seconds: float) -> list[speed.Run]:
        return [speed.Run(wall, wall / 2, 30) for wall in seconds]

    timed = {
        "L": runs(1, 1, 1),
        "S": runs(1, 1, 1),
        "version": runs(1, 1, 1),
        "help": runs(3, 3, 3),
        "cold": runs(6, 6, 12),
        "warm": runs(1, 1, 1),
        "one changed": runs(9, 9, 9),
        "_undone": runs(9, 9, 9),
        "ruff": runs(1, 2, 3),
        "pylint": runs(600),
    }
    tree = speed.Tree("5,000 modules", 5000, 100_000, timed, "flow 1.00", 100, 4000, 0)
    text = "\n".join(speed.report([tree], ["ruff"], False, argparse.Namespace(runs=3)))
    row = "| 5,000 modules | cold: at most L + 2 R | 1.71 (1.20 to 2.00) | 1.71 (1.20 to 2.00) | no |"
    assert row in text
    assert "| 5,000 modules | --version: at most 1.5 S | 0.67 (0.67 to 0.67) | 0.67 (0.67 to 0.67) | yes |" in text
    assert "| 5,000 modules | cold: at most a 50th of pylint | 0.50 | 0.50 | yes |" in text
    assert "| 5,000 modules | at most 5 % of the lines parsed | 4% | yes |" in text
    assert "| 5,000 modules | 100,000 | 0.6 | 30 | not measured |" in text
    assert "_undone" not in text


def test_tables_go_between_the_marks(tmp_path: Path) -> None:
    file = tmp_path / "page.md"
    file.write_text("# Page\n\n<!-- speed -->\nold\n<!-- end of speed -->\n\nMore.\n", "utf-8")
    speed._put(file, "| new |")
    assert file.read_text("utf-8") == "# Page\n\n<!-- speed -->\n\n| new |\n\n<!-- end of speed -->\n\nMore.\n"
