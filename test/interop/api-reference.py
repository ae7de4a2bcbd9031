"""
The reference of the API's interop tests: libvirt's Python binding, which is its C client.

Reads a request a line, {"driver", "receiver", "run"}, runs it with `conn` and `o`, the receiver, and this module's
names (json, re and time are for requests too), and answers a line:
{"value"} in canonical form, {"error": {"code", "domain", "message"}} for an error of libvirt, or {"broken"} for a
mistake of the request. The last statement is the value where it is an expression. Arguments: NAME=URI of each driver.

Canonical: whole numbers are "n:1", other ones "f:1.5", bytes "hex:00ff", objects what identifies them.
"""
import ast
import json
import re
import sys
import threading
import time
import traceback

import libvirt
import libvirt_qemu

libvirt.registerErrorHandler(lambda context, error: None, None)
libvirt.virEventRegisterDefaultImpl()


def events():
    while True:
        libvirt.virEventRunDefaultImpl()


threading.Thread(target=events, daemon=True).start()


# What the expressions of the tests are written with.


def named(names, values):
    """A record of a list whose places have meanings."""
    names = names.split()
    assert len(names) == len(values), (names, values)
    return dict(zip(names, values))


def must(value):
    """The value, or the error where the binding answers with None alone."""
    if value is None:
        raise libvirt.libvirtError("the binding says None")
    return value


def cpus(flags):
    """The bytes of a map of CPUs."""
    data = bytearray((len(flags) + 7) // 8)
    for cpu, on in enumerate(flags):
        data[cpu // 8] |= bool(on) << cpu % 8
    return bytes(data)


def try_(run):
    """Runs, and lets errors of libvirt pass: for clearing up."""
    try:
        run()
    except libvirt.libvirtError:
        pass


# Events.


watching = []


def watch(conn, what, which, names, thing_is):
    """Notes all events of a kind, until the next watch: as records of what the callback gets, by those names."""
    for end in watching:
        end()
    watching.clear()
    seen = []

    def heard(conn, thing, *rest):
        values = rest[:-1]  # the last one is what was given at registration
        seen.append(canonical(dict(zip([thing_is, *names.split()], [thing, *values], strict=True))))

    if what == "qemuMonitor":
        id = libvirt_qemu.qemuMonitorEventRegister(conn, None, None, heard, None, 0)
        watching.append(lambda: libvirt_qemu.qemuMonitorEventDeregister(conn, id))
    else:
        # domainEventRegisterAny, networkEventRegisterAny, …
        id = getattr(conn, what + "EventRegisterAny")(None, which, heard, None)
        watching.append(lambda: getattr(conn, what + "EventDeregisterAny")(id))
    return seen


class Raw:
    """What is in canonical form already."""

    def __init__(self, value):
        self.value = value


# Canonical form.


def identity(value):
    """What an object is known by, as the other side writes it too."""
    if isinstance(value, libvirt.virDomain):
        return {"Domain": value.name(), "uuid": value.UUIDString(), "id": value.ID()}
    if isinstance(value, libvirt.virNetwork):
        return {"Network": value.name(), "uuid": value.UUIDString()}
    if isinstance(value, libvirt.virNetworkPort):
        return {"NetworkPort": value.UUIDString(), "network": value.network().name()}
    if isinstance(value, libvirt.virStoragePool):
        return {"StoragePool": value.name(), "uuid": value.UUIDString()}
    if isinstance(value, libvirt.virStorageVol):
        return {"StorageVol": value.name(), "key": value.key()}
    if isinstance(value, libvirt.virNodeDevice):
        return {"NodeDevice": value.name()}
    if isinstance(value, libvirt.virInterface):
        return {"Interface": value.name(), "mac": value.MACString()}
    if isinstance(value, libvirt.virNWFilter):
        return {"NWFilter": value.name(), "uuid": value.UUIDString()}
    if isinstance(value, libvirt.virNWFilterBinding):
        return {"NWFilterBinding": value.portDev(), "filter": value.filterName()}
    if isinstance(value, libvirt.virSecret):
        return {"Secret": value.UUIDString(), "usage": value.usageType(), "of": value.usageID()}
    if isinstance(value, libvirt.virDomainSnapshot):
        return {"DomainSnapshot": value.getName(), "domain": value.getDomain().name()}
    if isinstance(value, libvirt.virDomainCheckpoint):
        return {"DomainCheckpoint": value.getName(), "domain": value.getDomain().name()}
    if isinstance(value, libvirt.virConnect):
        return {"Connection": value.getURI().split("?")[0]}
    raise TypeError("no canonical form of %r" % (value,))


def canonical(value):
    if value is None or isinstance(value, (bool, str)):
        return value
    if isinstance(value, Raw):
        return value.value
    if isinstance(value, int):
        return "n:%d" % value
    if isinstance(value, float):
        return "n:%d" % value if value.is_integer() else "f:%r" % value
    if isinstance(value, (bytes, bytearray)):
        return "hex:" + value.hex()
    if isinstance(value, dict):
        return {str(key): canonical(each) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [canonical(each) for each in value]
    return canonical(identity(value))


def run(code, variables):
    """Runs statements. The value of the last one where it is an expression."""
    tree = ast.parse(code.strip())
    last = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
    exec(compile(tree, "request", "exec"), variables)
    return None if last is None else eval(compile(ast.Expression(last.value), "request", "eval"), variables)


def answer(request, drivers):
    variables = drivers[request["driver"]]
    libvirt.virResetLastError()
    try:
        receiver = request.get("receiver")
        variables["o"] = None if receiver is None else run(receiver, variables)
        return {"value": canonical(run(request["run"], variables))}
    except libvirt.libvirtError as error:
        code = error.get_error_code()
        if code is None:
            return {"broken": "an error without one: %s" % error}
        return {"error": {"code": code, "domain": error.get_error_domain(), "message": error.get_error_message()}}
    except Exception:
        return {"broken": traceback.format_exc()}


def main():
    drivers = {}
    for name, uri in (argument.split("=", 1) for argument in sys.argv[1:]):
        drivers[name] = dict(globals(), conn=libvirt.open(uri))
    print(json.dumps({"value": {name: canonical(each["conn"]) for name, each in drivers.items()}}), flush=True)
    for line in sys.stdin:
        print(json.dumps(answer(json.loads(line), drivers)), flush=True)


main()
