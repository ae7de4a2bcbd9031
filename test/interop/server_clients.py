"""libvirt's Python binding against virtwire's daemon: calls what a client of a hypervisor calls, and looks at what
comes back. Prints, as JSON, the functions of the C library that were called and succeeded, and the events heard.

usage: server_clients.py URI
"""

import json
import sys
import threading
import time

import libvirt
import libvirtmod

called = set()
failed = set()
events = []


def counted(name, function):
    def call(*args):
        result = function(*args)
        (failed if result is None or result == -1 else called).add(name)
        return result

    return call


for name in dir(libvirtmod):
    if name.startswith("vir") and callable(getattr(libvirtmod, name)):
        setattr(libvirtmod, name, counted(name, getattr(libvirtmod, name)))


def equal(found, wanted, what=""):
    assert found == wanted, f"{what}: {found!r}, not {wanted!r}"


def refused(code, function, *args):
    try:
        function(*args)
    except libvirt.libvirtError as error:
        equal(error.get_error_code(), code, error.get_error_message())
        return
    raise AssertionError(f"{function} with {args} was not refused")


def listen(kind, conn, register, *args):
    def heard(*message):
        opaque = message[-1]
        events.append([opaque, *[m if isinstance(m, (int, str, dict)) else str(type(m).__name__) for m in message[1:-1]]])

    return register(*args, heard, kind)


DOMAIN = """<domain type='test'>
  <name>py</name>
  <uuid>0b9f2b7c-1111-4222-8333-00000000abcd</uuid>
  <memory unit='KiB'>131072</memory>
  <vcpu current='1'>2</vcpu>
  <os><type>hvm</type></os>
  <devices>
    <disk type='file' device='disk'><source file='/var/lib/py.img'/><target dev='vda' bus='virtio'/></disk>
    <interface type='network'><mac address='52:54:00:00:0a:01'/><source network='default'/><target dev='py0'/></interface>
    <console type='pty'/>
  </devices>
</domain>"""
NETWORK = """<network><name>pynet</name><bridge name='virbr9'/>
<ip address='192.168.9.1' netmask='255.255.255.0'><dhcp><range start='192.168.9.2' end='192.168.9.9'/></dhcp></ip></network>"""
POOL = "<pool type='dir'><name>pypool</name><target><path>/pypool</path></target></pool>"
VOLUME = "<volume><name>a.img</name><capacity>4194304</capacity><allocation>0</allocation></volume>"
CLONE = "<volume><name>b.img</name><capacity>4194304</capacity></volume>"
SECRET = "<secret ephemeral='no' private='no'><usage type='volume'><volume>/pypool/a.img</volume></usage></secret>"
FILTER = "<filter name='pyfilter' chain='root'><rule action='drop' direction='in'><all/></rule></filter>"
INTERFACE = "<interface type='ethernet' name='eth9'><start mode='none'/><mac address='52:54:00:00:09:09'/></interface>"
SNAPSHOT = "<domainsnapshot><name>{}</name></domainsnapshot>"
CHECKPOINT = "<domaincheckpoint><name>{}</name><disks><disk name='vda' checkpoint='bitmap'/></disks></domaincheckpoint>"


def hosts(conn):
    assert conn.isAlive() == 1
    conn.isEncrypted()
    conn.isSecure()
    assert conn.getVersion() > 0
    assert conn.getLibVersion() >= 9000000
    assert libvirt.getVersion() > 0
    assert conn.getType()
    assert conn.getHostname()
    assert conn.getURI().startswith("test")
    assert conn.getMaxVcpus(None) > 0
    assert conn.getCapabilities().startswith("<capabilities>")
    info = conn.getInfo()
    assert len(info) == 8 and info[1] > 0
    assert conn.getFreeMemory() > 0
    conn.getCellsFreeMemory(0, 1)
    conn.getCPUMap()
    conn.getCPUStats(-1)
    conn.getSysinfo()
    conn.getCPUModelNames("x86_64")
    conn.getSecurityModel()
    conn.baselineCPU(["<cpu><arch>x86_64</arch><model>core2duo</model></cpu>"])
    conn.setKeepAlive(5, 3)


def domains(conn):
    equal([d.name() for d in conn.listAllDomains()], ["test"])
    equal(conn.numOfDomains(), 1)
    equal(conn.listDomainsID(), [conn.lookupByName("test").ID()])
    dom = conn.defineXML(DOMAIN)
    equal(conn.numOfDefinedDomains(), 1)
    equal(conn.listDefinedDomains(), ["py"])
    equal(dom.UUIDString(), "0b9f2b7c-1111-4222-8333-00000000abcd")
    equal(conn.lookupByUUIDString(dom.UUIDString()).name(), "py")
    equal(conn.lookupByUUID(dom.UUID()).name(), "py")
    refused(libvirt.VIR_ERR_NO_DOMAIN, conn.lookupByName, "nosuch")
    refused(libvirt.VIR_ERR_NO_DOMAIN, conn.lookupByID, 9999)
    refused(libvirt.VIR_ERR_OPERATION_INVALID, dom.destroy)
    equal(dom.isActive(), 0)
    equal(dom.isPersistent(), 1)
    equal(dom.isUpdated(), 0)
    equal(dom.state()[0], libvirt.VIR_DOMAIN_SHUTOFF)
    dom.create()
    equal(dom.isActive(), 1)
    equal(conn.lookupByID(dom.ID()).name(), "py")
    equal(dom.info()[0], libvirt.VIR_DOMAIN_RUNNING)
    dom.OSType()
    assert "<name>py</name>" in dom.XMLDesc(0)
    dom.suspend()
    equal(dom.state()[0], libvirt.VIR_DOMAIN_PAUSED)
    dom.resume()
    dom.setAutostart(1)
    equal(dom.autostart(), 1)
    dom.setAutostart(0)
    equal(dom.maxMemory(), 131072)
    dom.setMemory(65536)
    dom.setMemoryFlags(98304, libvirt.VIR_DOMAIN_AFFECT_CONFIG)
    equal(dom.info()[2], 65536)
    equal(dom.maxVcpus(), 2)
    dom.setVcpusFlags(2, libvirt.VIR_DOMAIN_AFFECT_LIVE)
    equal(dom.vcpusFlags(libvirt.VIR_DOMAIN_AFFECT_LIVE), 2)
    dom.setVcpus(1)
    dom.vcpus()
    dom.pinVcpu(0, (True, False))
    dom.pinVcpuFlags(0, (True, True), 0)
    dom.vcpuPinInfo(0)
    dom.pinEmulator((True, True), libvirt.VIR_DOMAIN_AFFECT_LIVE)
    dom.emulatorPinInfo(0)
    dom.addIOThread(1, libvirt.VIR_DOMAIN_AFFECT_LIVE)
    dom.pinIOThread(1, (True, False), libvirt.VIR_DOMAIN_AFFECT_LIVE)
    equal([thread[0] for thread in dom.ioThreadInfo(libvirt.VIR_DOMAIN_AFFECT_LIVE)], [1])
    dom.delIOThread(1, libvirt.VIR_DOMAIN_AFFECT_LIVE)
    equal(dom.schedulerType()[0], "fair")
    dom.setSchedulerParameters(dom.schedulerParameters())
    dom.setMemoryParameters({"hard_limit": 200000}, 0)
    dom.memoryParameters(0)
    dom.setBlkioParameters({"weight": 500}, 0)
    equal(dom.blkioParameters(0)["weight"], 500)
    dom.setNumaParameters({"numa_nodeset": "0"}, libvirt.VIR_DOMAIN_AFFECT_CONFIG)
    dom.numaParameters(libvirt.VIR_DOMAIN_AFFECT_CONFIG)
    dom.setInterfaceParameters("py0", {"inbound.average": 100}, 0)
    equal(dom.interfaceParameters("py0", 0)["inbound.average"], 100)
    dom.setBlockIoTune("vda", {"total_bytes_sec": 1000, "total_bytes_sec_max": 2000}, 0)
    dom.blockIoTune("vda", 0)
    dom.blockStats("vda")
    dom.blockInfo("vda")
    dom.interfaceStats("py0")
    dom.memoryStats()
    dom.getCPUStats(True)
    dom.controlInfo()
    dom.diskErrors()
    dom.perfEvents()
    conn.getAllDomainStats()
    conn.domainListGetStats([dom])
    dom.interfaceAddresses(libvirt.VIR_DOMAIN_INTERFACE_ADDRESSES_SRC_LEASE)
    dom.fsInfo()
    dom.fsFreeze()
    dom.fsThaw()
    dom.getTime()
    dom.setTime({"seconds": 1, "nseconds": 0})
    dom.hostname()
    dom.sendKey(libvirt.VIR_KEYCODE_SET_LINUX, 0, [29, 46], 2)
    dom.injectNMI()
    dom.setMetadata(libvirt.VIR_DOMAIN_METADATA_TITLE, "title", None, None, libvirt.VIR_DOMAIN_AFFECT_CONFIG)
    equal(dom.metadata(libvirt.VIR_DOMAIN_METADATA_TITLE, None, libvirt.VIR_DOMAIN_AFFECT_CONFIG), "title")
    dom.setUserPassword("root", "secret")
    dom.securityLabel()
    dom.reboot()
    dom.reset()
    dom.shutdown()
    equal(dom.isActive(), 0)
    dom.setMaxMemory(262144)
    dom.rename("python")
    dom.rename("py")
    dom.createWithFlags(0)
    dom.attachDeviceFlags(
        "<disk type='file' device='disk'><source file='/b.img'/><target dev='vdb' bus='virtio'/></disk>",
        libvirt.VIR_DOMAIN_AFFECT_CONFIG,
    )
    assert "/b.img" in dom.XMLDesc(libvirt.VIR_DOMAIN_XML_INACTIVE)
    dom.updateDeviceFlags(
        "<disk type='file' device='disk'><source file='/c.img'/><target dev='vdb' bus='virtio'/></disk>",
        libvirt.VIR_DOMAIN_AFFECT_CONFIG,
    )
    dom.detachDeviceFlags(
        "<disk type='file' device='disk'><source file='/c.img'/><target dev='vdb' bus='virtio'/></disk>",
        libvirt.VIR_DOMAIN_AFFECT_CONFIG,
    )
    assert "vdb" not in dom.XMLDesc(libvirt.VIR_DOMAIN_XML_INACTIVE)
    dom.destroyFlags(0)
    return dom


def saves(conn, dom, folder):
    dom.create()
    dom.save(f"{folder}/py.save")
    equal(dom.isActive(), 0)
    assert "<name>py</name>" in conn.saveImageGetXMLDesc(f"{folder}/py.save")
    conn.restore(f"{folder}/py.save")
    equal(dom.isActive(), 1)
    dom.saveFlags(f"{folder}/py2.save")
    conn.restoreFlags(f"{folder}/py2.save")
    dom.managedSave()
    equal(dom.hasManagedSaveImage(), 1)
    dom.managedSaveRemove()
    equal(dom.hasManagedSaveImage(), 0)
    dom.create()
    dom.coreDump(f"{folder}/py.core")


def snapshots(dom):
    equal(dom.hasCurrentSnapshot(), 0)
    one = dom.snapshotCreateXML(SNAPSHOT.format("one"))
    two = dom.snapshotCreateXML(SNAPSHOT.format("two"))
    equal(sorted(dom.snapshotListNames()), ["one", "two"])
    equal(dom.snapshotNum(), 2)
    equal(len(dom.listAllSnapshots()), 2)
    equal(two.getParent().getName(), "one")
    equal(one.numChildren(), 1)
    equal(one.listChildrenNames(), ["two"])
    equal([child.getName() for child in one.listAllChildren()], ["two"])
    equal(dom.hasCurrentSnapshot(), 1)
    equal(dom.snapshotCurrent().getName(), "two")
    equal(two.isCurrent(), 1)
    equal(one.hasMetadata(), 1)
    equal(dom.snapshotLookupByName("one").getName(), "one")
    assert "<name>one</name>" in one.getXMLDesc()
    dom.revertToSnapshot(one)
    two.delete()
    one.delete()
    check = dom.checkpointCreateXML(CHECKPOINT.format("first"))
    later = dom.checkpointCreateXML(CHECKPOINT.format("later"))
    equal([c.getName() for c in dom.listAllCheckpoints()], ["first", "later"])
    equal(later.getParent().getName(), "first")
    equal([c.getName() for c in check.listAllChildren()], ["later"])
    equal(dom.checkpointLookupByName("first").getName(), "first")
    assert "first" in check.getXMLDesc()
    later.delete()
    check.delete()


def networks(conn):
    equal([n.name() for n in conn.listAllNetworks()], ["default"])
    net = conn.networkDefineXML(NETWORK)
    equal(conn.numOfNetworks(), 1)
    equal(conn.listNetworks(), ["default"])
    equal(conn.numOfDefinedNetworks(), 1)
    equal(conn.listDefinedNetworks(), ["pynet"])
    equal(conn.networkLookupByName("pynet").UUIDString(), net.UUIDString())
    equal(conn.networkLookupByUUIDString(net.UUIDString()).name(), "pynet")
    equal(conn.networkLookupByUUID(net.UUID()).name(), "pynet")
    net.create()
    equal(net.isActive(), 1)
    equal(net.isPersistent(), 1)
    equal(net.bridgeName(), "virbr9")
    net.setAutostart(1)
    equal(net.autostart(), 1)
    net.update(
        libvirt.VIR_NETWORK_UPDATE_COMMAND_ADD_LAST,
        libvirt.VIR_NETWORK_SECTION_IP_DHCP_HOST,
        -1,
        "<host mac='52:54:00:00:00:09' name='nine' ip='192.168.9.5'/>",
        libvirt.VIR_NETWORK_UPDATE_AFFECT_LIVE,
    )
    assert "nine" in net.XMLDesc()
    refused(libvirt.VIR_ERR_NO_NETWORK, conn.networkLookupByName, "nosuch")
    net.destroy()
    net.undefine()
    conn.networkCreateXML(NETWORK).destroy()


def interfaces(conn):
    equal(conn.listInterfaces(), ["eth1"])
    equal(conn.numOfInterfaces(), 1)
    conn.changeBegin()
    one = conn.interfaceDefineXML(INTERFACE)
    conn.changeCommit()
    equal(conn.numOfDefinedInterfaces(), 1)
    equal(conn.listDefinedInterfaces(), ["eth9"])
    equal(sorted(i.name() for i in conn.listAllInterfaces()), ["eth1", "eth9"])
    equal(conn.interfaceLookupByName("eth9").MACString(), "52:54:00:00:09:09")
    equal(conn.interfaceLookupByMACString("52:54:00:00:09:09").name(), "eth9")
    one.create()
    equal(one.isActive(), 1)
    assert "eth9" in one.XMLDesc()
    one.destroy()
    one.undefine()


def storage(conn):
    equal([p.name() for p in conn.listAllStoragePools()], ["default-pool"])
    pool = conn.storagePoolDefineXML(POOL)
    equal(conn.numOfStoragePools(), 1)
    equal(conn.listStoragePools(), ["default-pool"])
    equal(conn.numOfDefinedStoragePools(), 1)
    equal(conn.listDefinedStoragePools(), ["pypool"])
    equal(conn.storagePoolLookupByName("pypool").UUIDString(), pool.UUIDString())
    equal(conn.storagePoolLookupByUUIDString(pool.UUIDString()).name(), "pypool")
    equal(conn.storagePoolLookupByUUID(pool.UUID()).name(), "pypool")
    pool.build()
    pool.create()
    pool.setAutostart(1)
    equal(pool.autostart(), 1)
    equal(pool.isActive(), 1)
    equal(pool.isPersistent(), 1)
    pool.refresh()
    equal(pool.info()[0], libvirt.VIR_STORAGE_POOL_RUNNING)
    assert "pypool" in pool.XMLDesc()
    conn.findStoragePoolSources("logical", None)
    volume = pool.createXML(VOLUME)
    equal(pool.numOfVolumes(), 1)
    equal(pool.listVolumes(), ["a.img"])
    equal([v.name() for v in pool.listAllVolumes()], ["a.img"])
    equal(pool.storageVolLookupByName("a.img").path(), "/pypool/a.img")
    equal(conn.storageVolLookupByPath("/pypool/a.img").name(), "a.img")
    equal(conn.storageVolLookupByKey(volume.key()).name(), "a.img")
    equal(volume.storagePoolLookupByVolume().name(), "pypool")
    equal(conn.storagePoolLookupByTargetPath("/pypool").name(), "pypool")
    data = bytes(range(256)) * 4096
    stream = conn.newStream()
    volume.upload(stream, 0, len(data))
    left = [data]

    def source(stream, count, opaque):
        part, left[0] = left[0][:count], left[0][count:]
        return part

    stream.sendAll(source, None)
    stream.finish()
    equal(volume.info()[1], 4194304)
    equal(volume.infoFlags()[0], libvirt.VIR_STORAGE_VOL_FILE)
    received = bytearray()
    stream = conn.newStream()
    volume.download(stream, 256, len(data) - 256)
    stream.recvAll(lambda stream, part, opaque: received.extend(part), None)
    stream.finish()
    equal(bytes(received), data[256:])
    stream = conn.newStream()
    volume.download(stream, 0, 0)
    stream.recv(1024)
    stream.abort()
    clone = pool.createXMLFrom(CLONE, volume)
    clone.resize(8388608)
    equal(clone.info()[1], 8388608)
    clone.wipe()
    clone.wipePattern(libvirt.VIR_STORAGE_VOL_WIPE_ALG_ZERO)
    assert "b.img" in clone.XMLDesc()
    clone.delete()
    volume.delete()
    refused(libvirt.VIR_ERR_NO_STORAGE_VOL, pool.storageVolLookupByName, "a.img")
    pool.destroy()
    pool.delete()
    pool.undefine()
    conn.storagePoolCreateXML(POOL).destroy()


def devices(conn):
    names = conn.listDevices(None)
    equal(conn.numOfDevices(None), len(names))
    equal(sorted(d.name() for d in conn.listAllDevices()), sorted(names))
    host = conn.nodeDeviceLookupByName("scsi_host1")
    assert "scsi_host" in host.XMLDesc()
    equal(host.parent(), "computer")
    assert "scsi_host" in host.listCaps()
    equal(host.numOfCaps(), len(host.listCaps()))


def secrets(conn):
    secret = conn.secretDefineXML(SECRET)
    equal(conn.numOfSecrets(), 1)
    equal(conn.listSecrets(), [secret.UUIDString()])
    equal(len(conn.listAllSecrets()), 1)
    secret.setValue(b"swordfish")
    equal(secret.value(), b"swordfish")
    equal(conn.secretLookupByUUIDString(secret.UUIDString()).usageID(), "/pypool/a.img")
    equal(conn.secretLookupByUUID(secret.UUID()).usageType(), libvirt.VIR_SECRET_USAGE_TYPE_VOLUME)
    found = conn.secretLookupByUsage(libvirt.VIR_SECRET_USAGE_TYPE_VOLUME, "/pypool/a.img")
    equal(found.UUIDString(), secret.UUIDString())
    assert "swordfish" not in secret.XMLDesc()
    secret.undefine()


def filters(conn):
    before = conn.numOfNWFilters()
    one = conn.nwfilterDefineXML(FILTER)
    equal(conn.numOfNWFilters(), before + 1)
    assert "pyfilter" in conn.listNWFilters()
    assert "pyfilter" in [f.name() for f in conn.listAllNWFilters()]
    equal(conn.nwfilterLookupByName("pyfilter").UUIDString(), one.UUIDString())
    equal(conn.nwfilterLookupByUUIDString(one.UUIDString()).name(), "pyfilter")
    equal(conn.nwfilterLookupByUUID(one.UUID()).name(), "pyfilter")
    assert "drop" in one.XMLDesc()
    one.undefine()


def streams(conn, dom):
    stream = conn.newStream()
    mime = dom.screenshot(stream, 0)
    picture = bytearray()
    stream.recvAll(lambda stream, part, opaque: picture.extend(part), None)
    stream.finish()
    equal(mime, "image/png")
    equal(bytes(picture[:8]), b"\x89PNG\r\n\x1a\n")
    console = conn.newStream()
    dom.openConsole(None, console, 0)
    console.send(b"hello\n")
    heard = b""
    while b"hello" not in heard:
        heard += console.recv(1024)
    console.finish()


def register(conn):
    L = libvirt
    kinds = {
        "lifecycle": L.VIR_DOMAIN_EVENT_ID_LIFECYCLE,
        "reboot": L.VIR_DOMAIN_EVENT_ID_REBOOT,
        "balloon": L.VIR_DOMAIN_EVENT_ID_BALLOON_CHANGE,
        "metadata": L.VIR_DOMAIN_EVENT_ID_METADATA_CHANGE,
        "tunable": L.VIR_DOMAIN_EVENT_ID_TUNABLE,
    }
    ids = [listen(kind, conn, conn.domainEventRegisterAny, None, event) for kind, event in kinds.items()]
    listen("network", conn, conn.networkEventRegisterAny, None, L.VIR_NETWORK_EVENT_ID_LIFECYCLE)
    listen("pool", conn, conn.storagePoolEventRegisterAny, None, L.VIR_STORAGE_POOL_EVENT_ID_LIFECYCLE)
    listen("secret", conn, conn.secretEventRegisterAny, None, L.VIR_SECRET_EVENT_ID_LIFECYCLE)
    listen("device", conn, conn.nodeDeviceEventRegisterAny, None, L.VIR_NODE_DEVICE_EVENT_ID_LIFECYCLE)
    return ids


def main(uri, folder):
    libvirt.registerErrorHandler(lambda _context, _error: None, None)
    libvirt.virEventRegisterDefaultImpl()
    running = [True]

    def loop():
        while running[0]:
            libvirt.virEventRunDefaultImpl()

    threading.Thread(target=loop, daemon=True).start()
    conn = libvirt.open(uri)
    ids = register(conn)
    hosts(conn)
    dom = domains(conn)
    saves(conn, dom, folder)
    snapshots(dom)
    networks(conn)
    interfaces(conn)
    storage(conn)
    devices(conn)
    secrets(conn)
    filters(conn)
    streams(conn, dom)
    dom.destroy()
    dom.undefineFlags(0)
    conn.createXML(DOMAIN, 0).destroy()
    deadline = time.monotonic() + 20
    while sum(1 for event in events if event[0] == "lifecycle" and event[-2] == libvirt.VIR_DOMAIN_EVENT_STOPPED) < 5:
        assert time.monotonic() < deadline, f"events are missing: {events}"
        time.sleep(0.02)
    for callback in ids:
        conn.domainEventDeregisterAny(callback)
    readonly = libvirt.openReadOnly(uri)
    refused(libvirt.VIR_ERR_OPERATION_DENIED, readonly.lookupByName("test").destroy)
    readonly.close()
    conn.close()
    print(json.dumps({"called": sorted(called), "failed": sorted(failed - called), "events": events}))


main(*sys.argv[1:])
