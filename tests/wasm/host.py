#!/usr/bin/env python3
"""Runs the component in wasmtime, and plays the other side of its connections.

  host.py list                    the tests
  host.py COMPONENT TEST...       runs them; stops at the first that fails
  host.py COMPONENT hostile       every script of tests/hostile that is not encrypted, by the component that is for those
KLAMM_BROKER is the program of the in-memory cluster, KLAMM_HOSTILE that of the scripts.
"""

import concurrent.futures
import os
import re
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time


def load(component):
    """The component, compiled."""
    from wasmtime import Engine
    from wasmtime.component import Component

    engine = Engine()
    return engine, Component.from_file(engine, component)


def run(component, *arguments, fails=False, cpu_max=None):
    """What the component printed; it must succeed, or fail if that is wanted, within so many seconds of CPU."""
    loaded = load(component)
    before = time.process_time()
    outcome, printed = call(*loaded, *arguments)
    cpu = time.process_time() - before
    print(f"  {' '.join(map(str, arguments))}: {printed.strip()}", flush=True)
    assert outcome.tag == ("err" if fails else "ok"), f"it ended with {outcome}"
    assert cpu_max is None or cpu < cpu_max, f"it was busy for {cpu:.2f} s of its waiting"
    return printed


def call(engine, component, *arguments):
    """What a run of the component came to, and what it printed."""
    from wasmtime import Store, WasiConfig, _bindings
    from wasmtime.component import Linker

    store = Store(engine)
    linker = Linker(engine)
    linker.add_wasip2()
    with tempfile.TemporaryDirectory() as directory:
        out = os.path.join(directory, "out")
        wasi = WasiConfig()
        wasi.argv = ["guest", *map(str, arguments)]
        wasi.stdout_file = out
        wasi.inherit_stderr()
        # The package has no method for these two yet.
        _bindings.wasi_config_inherit_network(wasi.ptr())
        _bindings.wasi_config_allow_ip_name_lookup(wasi.ptr(), True)
        store.set_wasi(wasi)
        instance = linker.instantiate(store, component)
        exports = (instance.get_export_index(store, f"wasi:cli/run@0.2.{n}") for n in range(12, -1, -1))
        interface = next(filter(None, exports))
        main = instance.get_func(store, instance.get_export_index(store, "run", interface))
        outcome = main(store)
        with open(out, errors="replace") as file:
            return outcome, file.read()


def serve(one):
    """A listener on loopback that gives each connection to `one`, in a thread of its own; its port."""
    listener = socket.create_server(("127.0.0.1", 0))

    def accept():
        while True:
            connection, _ = listener.accept()
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            threading.Thread(target=one, args=(connection,), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    return listener.getsockname()[1]


def dead_port():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


def exactly(connection, size):
    got = b""
    while len(got) < size:
        more = connection.recv(size - len(got))
        if not more:
            raise EOFError
        got += more
    return got


APIS = [(0, 3, 3), (1, 4, 4), (2, 1, 1), (3, 0, 1), (18, 0, 0), (22, 0, 0)]


def scripted_broker(seen):
    """A broker of old versions, which answers byte by byte at first and notes what it was asked."""

    def string(text):
        return struct.pack(">h", len(text)) + text.encode()

    def answer(key, version, port):
        if key == 18:
            apis = b"".join(struct.pack(">hhh", *api) for api in APIS)
            return struct.pack(">hi", 0 if version == 0 else 35, len(APIS)) + apis
        # Metadata v1: one broker, node 7, which is the controller; no topics.
        return struct.pack(">ii", 1, 7) + string("127.0.0.1") + struct.pack(">ihii", port, -1, 7, 0)

    def one(connection):
        try:
            while True:
                (size,) = struct.unpack(">i", exactly(connection, 4))
                key, version, correlation = struct.unpack(">hhi", exactly(connection, size)[:8])
                seen.append((key, version))
                body = struct.pack(">i", correlation) + answer(key, version, connection.getsockname()[1])
                frame = struct.pack(">i", len(body)) + body
                for at in range(12):
                    connection.sendall(frame[at : at + 1])
                    time.sleep(0.002)
                connection.sendall(frame[12:])
        except EOFError:
            connection.close()

    return serve(one)


def slow_echo(connection):
    """Sends back what it gets, but lets it pile up at first, so that the component's writes are refused."""
    time.sleep(0.3)
    while data := connection.recv(50_000):
        connection.sendall(data)


def versions_by_hand(component):
    seen = []
    port = scripted_broker(seen)
    for host in ["127.0.0.1", "localhost"]:
        printed = run(component, "versions", f"{host}:{port}")
        expected = "".join(f"API {key}: {least} to {most}\n" for key, least, most in APIS)
        assert printed == f"correlation id 7, error 0\n{expected}", printed
    assert seen == [(18, 0)] * 2, seen


def bytes_both_ways_at_once(component):
    printed = run(component, "echo", f"127.0.0.1:{serve(slow_echo)}", 12_000_000)
    calls, refused = map(int, re.fullmatch(r"echoed 12000000 bytes in (\d+) writes, (\d+) refused\n", printed).groups())
    assert refused > 0, "no write was refused: nothing was tested"
    # Its sizes are gathered to 16 KiB, or go alone when they are larger: 11 of 40,700, 20,013 and 16,386 bytes.
    assert calls < 12_000_000 / 10_000, "short slices are not gathered"


def an_idle_connection_costs_nothing(component):
    run(component, "idle", f"127.0.0.1:{serve(slow_echo)}", cpu_max=0.3)


def the_end_is_the_end(component):
    def one(connection):
        connection.sendall(b"gorge")
        connection.close()

    assert run(component, "end", f"127.0.0.1:{serve(one)}") == "gorge and the end, then 0\n"


def a_reset_is_an_error(component):
    def one(connection):
        time.sleep(0.3)  # earlier it could be the connecting that fails
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        connection.close()

    printed = run(component, "end", f"127.0.0.1:{serve(one)}", fails=True)
    assert printed.startswith("failed: ") and "reset" in printed, printed


def refusals_say_where(component):
    port = dead_port()
    printed = run(component, "error", f"127.0.0.1:{port}")
    assert printed.startswith("Connect ConnectionRefused true ") and str(port) not in printed, printed
    printed = run(component, "error", f"localhost:{port}")
    assert printed.startswith("Connect ConnectionRefused true ") and f"127.0.0.1:{port}: " in printed, printed
    printed = run(component, "error", "no-such-name.invalid:9092")
    assert printed.startswith("Resolve "), printed


def time_and_randomness(component):
    printed = run(component, "time")
    assert abs(int(re.search(r"now is (\d+)", printed).group(1)) - time.time() * 1000) < 60_000, printed


def one_that_wakes_itself_starves_nobody(component):
    run(component, "share")


def the_client_connects(component):
    seen = []
    printed = run(component, "connect", f"127.0.0.1:{scripted_broker(seen)}")
    assert printed.startswith("connected"), printed
    assert (18, 0) in seen and (3, 1) in seen, seen


def the_client_says_why_not(component):
    port = dead_port()
    started = time.time()
    printed = run(component, "connect", f"127.0.0.1:{port}", fails=True, cpu_max=0.5)
    assert printed.startswith("failed: ") and f"127.0.0.1:{port}" in printed, printed
    assert 2.5 < time.time() - started < 6, "the timeout is 3 s"


def records_both_ways(component):
    program = subprocess.Popen(
        [os.environ["KLAMM_BROKER"], "--brokers", "3", "--topic", "wasm:6:3"], stdout=subprocess.PIPE, text=True
    )
    try:
        bootstrap = program.stdout.readline().strip()
        printed = run(component, "both-ways", bootstrap, "wasm", 20_000, "lz4")
        assert printed.startswith("20000 records both ways"), printed
    finally:
        program.kill()
        program.wait()


HOSTILE_PARTS = 6
HOSTILE_BUDGET = 4 << 20


def hostile_part(loaded, part):
    """One part of the scripts; answers how many were played, and those that went wrong."""
    program = [os.environ["KLAMM_HOSTILE"], "judge", str(part), str(HOSTILE_PARTS)]
    judge = subprocess.Popen(program, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    played, wrong = 0, []
    for line in judge.stdout:
        name, bootstrap, does, who, beside, _verdict = line.split(" ", 5)
        outcome, printed = call(*loaded, bootstrap, does, who, beside, HOSTILE_BUDGET)
        judge.stdin.write((printed if outcome.tag == "ok" else f"fails trap\n{printed}").rstrip("\n") + "\n.\n")
        judge.stdin.flush()
        verdict = judge.stdout.readline().strip()
        played += verdict != "again"
        if verdict not in ("ok", "again"):
            wrong.append(f"{name}: {verdict}")
    assert judge.wait() == 0
    return played, wrong


def hostile(component):
    """All scripts, in threads: most of the time they wait."""
    loaded = load(component)
    with concurrent.futures.ThreadPoolExecutor(HOSTILE_PARTS) as pool:
        parts = list(pool.map(lambda part: hostile_part(loaded, part), range(HOSTILE_PARTS)))
    wrong = [line for _, lines in parts for line in lines]
    played = sum(played for played, _ in parts)
    print(*wrong, f"test result: ok. {played - len(wrong)} passed; {len(wrong)} failed; 0 ignored", sep="\n")
    assert not wrong


TESTS = [
    versions_by_hand,
    bytes_both_ways_at_once,
    an_idle_connection_costs_nothing,
    the_end_is_the_end,
    a_reset_is_an_error,
    refusals_say_where,
    time_and_randomness,
    one_that_wakes_itself_starves_nobody,
    the_client_connects,
    the_client_says_why_not,
    records_both_ways,
]

if __name__ == "__main__":
    if sys.argv[1:] == ["list"]:
        print(*(test.__name__ for test in TESTS), sep="\n")
    elif sys.argv[2:] == ["hostile"]:
        hostile(sys.argv[1])
    else:
        for test in TESTS:
            if test.__name__ in sys.argv[2:]:
                test(sys.argv[1])
