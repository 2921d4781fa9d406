"""Runs a command on a terminal of its own, types, and tells what the terminal showed and how it was left.

python3 typing.py '["deno", …]' '[["wait for this", "then type this"], …]' [SIGNAL]

It waits until the terminal does not show what is typed, or with a third member, true, until it does.
What is typed may be null: then SIGNAL is sent in its place. Prints one JSON object.
"""

import fcntl, json, os, pty, select, signal, subprocess, sys, termios, time

command, steps = json.loads(sys.argv[1]), json.loads(sys.argv[2])
sent = sys.argv[3] if len(sys.argv) > 3 else None
ours, its = pty.openpty()


def mode():
    return [bool(termios.tcgetattr(its)[3] & flag) for flag in (termios.ECHO, termios.ICANON)]


def take_terminal():
    os.setsid()
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)


before = mode()
child = subprocess.Popen(command, stdin=its, stdout=its, stderr=its, preexec_fn=take_terminal)
shown, asked_in = b"", []
deadline = time.time() + 30


def read_some():
    global shown
    if select.select([ours], [], [], 0.05)[0]:
        shown += os.read(ours, 4096)
    if time.time() > deadline:
        child.kill()
        sys.exit(f"too late; shown: {shown!r}")


seen = 0
for wanted, typed, *more in steps:
    is_shown = more == [True]
    while wanted.encode() not in shown[seen:] or mode()[0] != is_shown:
        if child.poll() is not None:
            sys.exit(f"ended early; shown: {shown!r}")
        read_some()
    seen = len(shown)
    asked_in.append(mode())
    if typed is None:
        child.send_signal(getattr(signal, sent))
    else:
        os.write(ours, typed.encode())
while child.poll() is None:
    read_some()
while select.select([ours], [], [], 0.05)[0]:
    shown += os.read(ours, 4096)
code = child.returncode
print(json.dumps({
    "code": code,
    "shown": shown.decode(),
    "before": before,
    "asked_in": asked_in,
    "after": mode(),
}))
