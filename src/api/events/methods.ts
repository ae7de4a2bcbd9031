import { VirErrorDomain, VirErrorNumber } from "../../generated/libvirt/index.ts";
import * as qemu from "../../generated/qemu/index.ts";
import * as r from "../../generated/remote/index.ts";
import { virtError } from "../../rpc/index.ts";
import type { Connection } from "../connection.ts";
import { ConnectMethods, Domain, Network, NodeDevice, Secret, StoragePool } from "../generated/index.ts";
import { type TypedParameters, typedParameters } from "../typed-parameters.ts";
import { formatUUID } from "../uuid.ts";
import { domainEvents } from "./domain-events.ts";
import { type Body, eventKind } from "./event-kind.ts";
import type { EventStream, EventStreamOptions } from "./event-stream.ts";
import { choiceOf, type EventChoice, type EventListener, ObjectEvents } from "./events.ts";
import { networkEvents, nodeDeviceEvents, secretEvents, storagePoolEvents } from "./object-events.ts";

type Named<Message, Field, As extends string, Target> = {
  [Key in keyof Message as Key extends Field ? As : Key]: Key extends Field
    ? Target
    : Key extends "params"
      ? TypedParameters
      : Message[Key];
};
type Events<Kinds, Field, As extends string, Target> = {
  readonly [Kind in keyof Kinds]: Readonly<{ kind: Kind } & Named<Body<Kinds[Kind]>, Field, As, Target>>;
};

/** Events of guests by kind: what `conn.domainEvents(kind)` yields. */
export type DomainEvents = Events<typeof domainEvents, "dom", "domain", Domain>;
export type NetworkEvents = Events<typeof networkEvents, "net", "network", Network>;
export type StoragePoolEvents = Events<typeof storagePoolEvents, "pool", "storagePool", StoragePool>;
export type NodeDeviceEvents = Events<typeof nodeDeviceEvents, "dev", "nodeDevice", NodeDevice>;
export type SecretEvents = Events<typeof secretEvents, "secret", "secret", Secret>;

/** An event of QEMU's monitor, for people who debug: its names and details are QEMU's. */
export interface QemuMonitorEvent {
  readonly kind: "qemuMonitor";
  readonly domain: Domain;
  /** QEMU's name: `SHUTDOWN`. */
  readonly event: string;
  readonly seconds: bigint;
  readonly micros: number;
  /** JSON */
  readonly details: string | null;
}

export interface QemuMonitorEventOptions extends EventStreamOptions {
  readonly domain?: Domain;
  /** Of this name only. Default all. */
  readonly event?: string;
  /** VIR_CONNECT_DOMAIN_QEMU_MONITOR_EVENT_REGISTER_* */
  readonly flags?: number;
}

const monitorEvent = eventKind(0, qemu.domainMonitorEvent);

/** The events of a connection. */
export abstract class EventMethods extends ConnectMethods {
  readonly #domain: ObjectEvents<r.NonnullDomain, Domain>;
  readonly #network: ObjectEvents<r.NonnullNetwork, Network>;
  readonly #storagePool: ObjectEvents<r.NonnullStoragePool, StoragePool>;
  readonly #nodeDevice: ObjectEvents<r.NonnullNodeDevice, NodeDevice>;
  readonly #secret: ObjectEvents<r.NonnullSecret, Secret>;
  /** Each name and set of flags is a registration of its own. */
  readonly #monitor = new Map<string, ObjectEvents<r.NonnullDomain, Domain>>();
  /** What the C API's register functions gave ids for. */
  readonly #registered = new Map<number, { readonly what: string; readonly leave: () => Promise<void> }>();
  #nextID = 0;
  #closeCallback: { readonly listener: (reason: number) => void; readonly off: () => void } | undefined;

  constructor(...opened: ConstructorParameters<typeof ConnectMethods>) {
    super(...opened);
    const self = this as unknown as Connection;
    const domain = {
      field: "dom",
      as: "domain",
      open: (ref: r.NonnullDomain) => new Domain(self, ref),
      identify: ({ uuid }: r.NonnullDomain) => formatUUID(uuid),
      convert: (body: Record<string, unknown>) => {
        if (body.params !== undefined) body.params = typedParameters(body.params as r.TypedParam[]);
      },
    };
    this.#domain = new ObjectEvents(this, {
      ...domain,
      register: async (eventID, dom) => {
        if (this.features.eventCallback) {
          return (await this.call(r.connectDomainEventCallbackRegisterAny, { eventID, dom })).callbackID;
        }
        await this.call(r.connectDomainEventRegisterAny, { eventID });
        return eventID;
      },
      deregister: async (callbackID, signal) => {
        if (this.features.eventCallback) {
          await this.call(r.connectDomainEventCallbackDeregisterAny, { callbackID }, { signal });
        } else {
          await this.call(r.connectDomainEventDeregisterAny, { eventID: callbackID }, { signal });
        }
      },
    });
    this.#network = new ObjectEvents(this, {
      field: "net",
      as: "network",
      open: (ref) => new Network(self, ref),
      identify: ({ uuid }) => formatUUID(uuid),
      register: async (eventID, net) =>
        (await this.call(r.connectNetworkEventRegisterAny, { eventID, net })).callbackID,
      deregister: (callbackID, signal) => this.call(r.connectNetworkEventDeregisterAny, { callbackID }, { signal }),
    });
    this.#storagePool = new ObjectEvents(this, {
      field: "pool",
      as: "storagePool",
      open: (ref) => new StoragePool(self, ref),
      identify: ({ uuid }) => formatUUID(uuid),
      register: async (eventID, pool) =>
        (await this.call(r.connectStoragePoolEventRegisterAny, { eventID, pool })).callbackID,
      deregister: (callbackID, signal) => this.call(r.connectStoragePoolEventDeregisterAny, { callbackID }, { signal }),
    });
    this.#nodeDevice = new ObjectEvents(this, {
      field: "dev",
      as: "nodeDevice",
      open: (ref) => new NodeDevice(self, ref),
      identify: ({ name }) => name,
      register: async (eventID, dev) =>
        (await this.call(r.connectNodeDeviceEventRegisterAny, { eventID, dev })).callbackID,
      deregister: (callbackID, signal) => this.call(r.connectNodeDeviceEventDeregisterAny, { callbackID }, { signal }),
    });
    this.#secret = new ObjectEvents(this, {
      field: "secret",
      as: "secret",
      open: (ref) => new Secret(self, ref),
      identify: ({ uuid }) => formatUUID(uuid),
      register: async (eventID, secret) =>
        (await this.call(r.connectSecretEventRegisterAny, { eventID, secret })).callbackID,
      deregister: (callbackID, signal) => this.call(r.connectSecretEventDeregisterAny, { callbackID }, { signal }),
    });
    this.#monitorOf = (event, flags) => {
      const key = `${flags} ${event ?? ""}`;
      const known = this.#monitor.get(key);
      if (known !== undefined) return known;
      const made = new ObjectEvents<r.NonnullDomain, Domain>(this, {
        ...domain,
        register: async (_, dom) =>
          (await this.call(qemu.connectDomainMonitorEventRegister, { dom, event: event ?? null, flags })).callbackID,
        deregister: (callbackID, signal) =>
          this.call(qemu.connectDomainMonitorEventDeregister, { callbackID }, { signal }),
      });
      this.#monitor.set(key, made);
      return made;
    };
    this.onReconnected(async () => {
      const all = [this.#domain, this.#network, this.#storagePool, this.#nodeDevice, this.#secret];
      await Promise.all([
        ...[...all, ...this.#monitor.values()].map((each) => each.renew()),
        // Where it is refused nothing is lost but the news of the daemon's own driver.
        this.#closeCallback && this.#registerClose().catch(() => {}),
      ]);
    });
  }

  readonly #monitorOf: (event: string | undefined, flags: number) => ObjectEvents<r.NonnullDomain, Domain>;

  /**
   * Events of guests: `for await (const event of await conn.domainEvents("lifecycle")) …`. Resolves when the daemon
   * has agreed; from then on nothing is missed without a gap that says so.
   *
   * @param kind a virDomainEventID in camel case
   * @param options `domain`: of this guest only
   *
   * Rejects with VIR_ERR_NO_SUPPORT where the daemon, or its age, does not know that kind.
   */
  async domainEvents<Kind extends keyof DomainEvents>(
    kind: Kind,
    options: EventStreamOptions & { readonly domain?: Domain } = {},
  ): Promise<EventStream<DomainEvents[Kind]>> {
    return this.#domain.stream(this.#domainChoice(kind), options.domain, options);
  }

  /** Events of networks: `lifecycle`, `metadataChange`. See `domainEvents`. */
  async networkEvents<Kind extends keyof NetworkEvents>(
    kind: Kind,
    options: EventStreamOptions & { readonly network?: Network } = {},
  ): Promise<EventStream<NetworkEvents[Kind]>> {
    return this.#network.stream(known(networkEvents, kind, "network"), options.network, options);
  }

  /** Events of storage pools: `lifecycle`, `refresh`. See `domainEvents`. */
  async storagePoolEvents<Kind extends keyof StoragePoolEvents>(
    kind: Kind,
    options: EventStreamOptions & { readonly storagePool?: StoragePool } = {},
  ): Promise<EventStream<StoragePoolEvents[Kind]>> {
    return this.#storagePool.stream(known(storagePoolEvents, kind, "storage pool"), options.storagePool, options);
  }

  /** Events of node devices: `lifecycle`, `update`. See `domainEvents`. */
  async nodeDeviceEvents<Kind extends keyof NodeDeviceEvents>(
    kind: Kind,
    options: EventStreamOptions & { readonly nodeDevice?: NodeDevice } = {},
  ): Promise<EventStream<NodeDeviceEvents[Kind]>> {
    return this.#nodeDevice.stream(known(nodeDeviceEvents, kind, "node device"), options.nodeDevice, options);
  }

  /** Events of secrets: `lifecycle`, `valueChanged`. See `domainEvents`. */
  async secretEvents<Kind extends keyof SecretEvents>(
    kind: Kind,
    options: EventStreamOptions & { readonly secret?: Secret } = {},
  ): Promise<EventStream<SecretEvents[Kind]>> {
    return this.#secret.stream(known(secretEvents, kind, "secret"), options.secret, options);
  }

  /** virConnectDomainQemuMonitorEventRegister: events of QEMU's monitor, for debugging. See `domainEvents`. */
  qemuMonitorEvents(options: QemuMonitorEventOptions = {}): Promise<EventStream<QemuMonitorEvent>> {
    const { domain, event, flags = 0 } = options;
    return this.#monitorOf(event, flags).stream(monitorChoice, domain, options);
  }

  /**
   * virConnectDomainEventRegister: lifecycle events of all guests. The same listener twice is refused, as libvirt does.
   * Listeners are called one after the other as messages arrive, and may call anything.
   */
  async domainEventRegister(listener: EventListener<DomainEvents["lifecycle"]>): Promise<void> {
    if (this.#lifecycle.has(listener)) {
      throw virtError(
        VirErrorNumber.VIR_ERR_INVALID_ARG,
        VirErrorDomain.VIR_FROM_NONE,
        "event callback already tracked",
      );
    }
    this.#lifecycle.set(listener, undefined);
    try {
      this.#lifecycle.set(listener, await this.domainEventRegisterAny(null, "lifecycle", listener));
    } catch (error) {
      this.#lifecycle.delete(listener);
      throw error;
    }
  }

  readonly #lifecycle = new Map<EventListener<DomainEvents["lifecycle"]>, number | undefined>();

  /** virConnectDomainEventDeregister */
  async domainEventDeregister(listener: EventListener<DomainEvents["lifecycle"]>): Promise<void> {
    const id = this.#lifecycle.get(listener);
    if (id === undefined) throw notRegistered("domain", "of that listener");
    this.#lifecycle.delete(listener);
    await this.domainEventDeregisterAny(id);
  }

  /**
   * virConnectDomainEventRegisterAny: of one guest, or of all with null.
   * @param eventID a virDomainEventID, or its name as `domainEvents` takes it
   * @returns the callback id for `domainEventDeregisterAny`, which is this connection's own and may be 0
   */
  async domainEventRegisterAny<Kind extends keyof DomainEvents>(
    domain: Domain | null,
    eventID: Kind | number,
    listener: EventListener<DomainEvents[Kind]>,
  ): Promise<number> {
    return this.#register("domain", this.#domain, this.#domainChoice(eventID), domain, listener);
  }

  /** virConnectDomainEventDeregisterAny */
  domainEventDeregisterAny(callbackID: number): Promise<void> {
    return this.#deregister("domain", callbackID);
  }

  /** virConnectNetworkEventRegisterAny. See `domainEventRegisterAny`. */
  async networkEventRegisterAny<Kind extends keyof NetworkEvents>(
    network: Network | null,
    eventID: Kind | number,
    listener: EventListener<NetworkEvents[Kind]>,
  ): Promise<number> {
    return this.#register("network", this.#network, known(networkEvents, eventID, "network"), network, listener);
  }

  /** virConnectNetworkEventDeregisterAny */
  networkEventDeregisterAny(callbackID: number): Promise<void> {
    return this.#deregister("network", callbackID);
  }

  /** virConnectStoragePoolEventRegisterAny. See `domainEventRegisterAny`. */
  async storagePoolEventRegisterAny<Kind extends keyof StoragePoolEvents>(
    storagePool: StoragePool | null,
    eventID: Kind | number,
    listener: EventListener<StoragePoolEvents[Kind]>,
  ): Promise<number> {
    const choice = known(storagePoolEvents, eventID, "storage pool");
    return this.#register("storage pool", this.#storagePool, choice, storagePool, listener);
  }

  /** virConnectStoragePoolEventDeregisterAny */
  storagePoolEventDeregisterAny(callbackID: number): Promise<void> {
    return this.#deregister("storage pool", callbackID);
  }

  /** virConnectNodeDeviceEventRegisterAny. See `domainEventRegisterAny`. */
  async nodeDeviceEventRegisterAny<Kind extends keyof NodeDeviceEvents>(
    nodeDevice: NodeDevice | null,
    eventID: Kind | number,
    listener: EventListener<NodeDeviceEvents[Kind]>,
  ): Promise<number> {
    const choice = known(nodeDeviceEvents, eventID, "node device");
    return this.#register("node device", this.#nodeDevice, choice, nodeDevice, listener);
  }

  /** virConnectNodeDeviceEventDeregisterAny */
  nodeDeviceEventDeregisterAny(callbackID: number): Promise<void> {
    return this.#deregister("node device", callbackID);
  }

  /** virConnectSecretEventRegisterAny. See `domainEventRegisterAny`. */
  async secretEventRegisterAny<Kind extends keyof SecretEvents>(
    secret: Secret | null,
    eventID: Kind | number,
    listener: EventListener<SecretEvents[Kind]>,
  ): Promise<number> {
    return this.#register("secret", this.#secret, known(secretEvents, eventID, "secret"), secret, listener);
  }

  /** virConnectSecretEventDeregisterAny */
  secretEventDeregisterAny(callbackID: number): Promise<void> {
    return this.#deregister("secret", callbackID);
  }

  /** virConnectDomainQemuMonitorEventRegister. See `domainEventRegisterAny`. */
  domainQemuMonitorEventRegister(
    domain: Domain | null,
    event: string | null,
    listener: EventListener<QemuMonitorEvent>,
    flags = 0,
  ): Promise<number> {
    return this.#register("qemu monitor", this.#monitorOf(event ?? undefined, flags), monitorChoice, domain, listener);
  }

  /** virConnectDomainQemuMonitorEventDeregister */
  domainQemuMonitorEventDeregister(callbackID: number): Promise<void> {
    return this.#deregister("qemu monitor", callbackID);
  }

  /**
   * virConnectRegisterCloseCallback: tells when the daemon's driver loses its hypervisor, or this connection is over.
   * @param listener gets a virConnectCloseReason
   */
  async registerCloseCallback(listener: (reason: number) => void): Promise<void> {
    if (this.#closeCallback !== undefined) {
      const detail = "A close callback is already registered";
      throw virtError(VirErrorNumber.VIR_ERR_OPERATION_INVALID, VirErrorDomain.VIR_FROM_NONE, detail);
    }
    const offEvent = this.on(r.connectEventConnectionClosed, ({ reason }) => listener(reason));
    const offClose = this.onClose((reason) => listener(reason));
    const off = () => {
      offEvent();
      offClose();
    };
    this.#closeCallback = { listener, off };
    try {
      await this.#registerClose();
    } catch (error) {
      off();
      this.#closeCallback = undefined;
      throw error;
    }
  }

  /** virConnectUnregisterCloseCallback */
  async unregisterCloseCallback(listener: (reason: number) => void): Promise<void> {
    if (this.#closeCallback?.listener !== listener) throw notRegistered("close", "of that listener");
    this.#closeCallback.off();
    this.#closeCallback = undefined;
    if (this.features.closeCallback && this.state === "open")
      await this.call(r.connectUnregisterCloseCallback, undefined);
  }

  async #registerClose(): Promise<void> {
    if (this.features.closeCallback) await this.call(r.connectRegisterCloseCallback, undefined);
  }

  #domainChoice(which: string | number): EventChoice {
    return known(domainEvents, which, "domain", !this.features.eventCallback);
  }

  async #register<Ref, Target extends { readonly ref: Ref }, Event>(
    what: string,
    events: ObjectEvents<Ref, Target>,
    choice: EventChoice,
    of: Target | null,
    listener: EventListener<Event>,
  ): Promise<number> {
    const leave = await events.listen(choice, of ?? undefined, listener);
    const id = this.#nextID++;
    this.#registered.set(id, { what, leave });
    return id;
  }

  async #deregister(what: string, callbackID: number): Promise<void> {
    const registered = this.#registered.get(callbackID);
    if (registered?.what !== what) throw notRegistered(what, String(callbackID));
    this.#registered.delete(callbackID);
    await registered.leave();
  }
}

const monitorChoice: EventChoice = { kind: "qemuMonitor", id: 0, heard: monitorEvent, legacy: false };

function known(
  kinds: Parameters<typeof choiceOf>[0],
  which: string | number,
  object: string,
  legacy = false,
): EventChoice {
  const found = choiceOf(kinds, which, legacy);
  if (found !== undefined) return found;
  const detail = `${object} event ${which}${legacy ? ", which the daemon is too old for" : ""}`;
  throw virtError(VirErrorNumber.VIR_ERR_NO_SUPPORT, VirErrorDomain.VIR_FROM_NONE, detail);
}

function notRegistered(what: string, which: string): Error {
  const detail = `${what} event callback ${which} not registered`;
  return virtError(VirErrorNumber.VIR_ERR_INVALID_ARG, VirErrorDomain.VIR_FROM_NONE, detail);
}
