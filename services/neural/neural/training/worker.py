"""Program of a worker process: trains one network; `worker_processes` starts it.

It ends with its parent from its first line on, while torch is still loading too: the kernel kills
it, and where the kernel cannot, the end of its standard input does.
"""

import os
import signal
import sys

from marquee.child_process import die_with_parent, exit_after, wait_for_end_of_input


def main() -> None:
    """Train by the arguments: parent, files of job and result, seed.

    The configuration is the first line of the input, the last epoch the second.
    """
    parent, job, result, seed = map(int, sys.argv[1:])
    die_with_parent(signal.SIGKILL)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the parent, which ends this
    if os.getppid() != parent:
        sys.exit(1)
    config = sys.stdin.readline()
    import torch

    from neural.training.worker_processes import train_job

    torch.optim.AdamW([torch.nn.Parameter(torch.zeros(1))])  # the first takes seconds to import
    epoch = sys.stdin.readline()
    if not epoch:
        sys.exit(1)
    exit_after(wait_for_end_of_input)
    train_job(job, result, config, seed, int(epoch))


if __name__ == "__main__":
    main()
