"""Child processes end with their parent, whatever they are doing."""

import subprocess
import sys

CHILD = """
import time
from marquee.child_process import exit_after, wait_for_end_of_input
exit_after(wait_for_end_of_input)
print("runs", flush=True)
time.sleep(60)
"""


def test_a_child_ends_when_its_input_does() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", CHILD], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as child:
        assert child.stdin is not None
        assert child.stdout is not None
        assert child.stdout.readline() == "runs\n"
        assert child.poll() is None
        child.stdin.close()
        assert child.wait(10) == 1
