/**
 * The machines of one malicious member.
 *
 * @module
 */
import { generateSigner, type Signer } from "../../../src/world/signer.ts";
import type { Address, World } from "../../../src/world/world.ts";
import type { Draw } from "../draw.ts";
import type { SimLog } from "../logs.ts";
import { type Identity, keyNameOf, PORT, SimMonitor, type Watcher } from "../monitor.ts";
import type { SimMachine, SimNetwork } from "../network.ts";
import type { FleetPlan, MemberMalice } from "../plan.ts";
import { signing } from "../signing.ts";
import type { SimTime } from "../time.ts";
import { BEHAVIOURS } from "./behaviours.ts";
import { MaliciousMember } from "./member.ts";

/** How many addresses a member has that wants to surround others. */
const MANY_ADDRESSES = 12;
/** When the copy of a folder is started, after the folder itself. */
const COPY_STARTS_MS = 60_000;

/** A malicious member that can be started and stopped. */
export interface Accomplice {
  readonly vkey: string;
  start(): void;
  stop(): void;
  close(): void;
}

/** What an accomplice needs. */
interface Options {
  readonly malice: MemberMalice;
  /** Of its machine. */
  readonly number: number;
  readonly plan: FleetPlan;
  readonly time: SimTime;
  readonly draw: Draw;
  readonly network: SimNetwork;
  readonly machine: SimMachine;
  readonly logs: readonly SimLog[];
  /** Of the honest monitors; later of all. */
  readonly vkeys: readonly string[];
  readonly addressOf: (number: number) => Address;
  /** Told whom it told one of two different things. */
  readonly onToldApart: (target: number) => void;
}

/** Makes a malicious member of its kind. */
export async function accompliceOf(options: Options): Promise<Accomplice> {
  const identity: Identity = { number: options.number, seed: options.draw.bytes(32) };
  const { signer } = await generateSigner({
    world: { signing, random: { bytes: () => identity.seed } } as unknown as World,
    name: keyNameOf(options.number),
  });
  return options.malice === "copied"
    ? copied({ ...options, identity, signer })
    : member({ ...options, signer, malice: options.malice });
}

function listing({ plan, number }: Options): number[] {
  return plan.monitors.flatMap(({ membership }, i) =>
    membership?.members.some((member) => member.number === number) ? [i] : []
  );
}

function member(
  options: Options & { signer: Signer; malice: Exclude<MemberMalice, "copied"> },
): Accomplice {
  const { malice, machine, network, vkeys, addressOf, time, draw, signer } = options;
  const more = malice === "surrounds" ? MANY_ADDRESSES : 0;
  const others = Array.from(
    { length: more },
    (_, i) => network.machine(machine.hostname.replace(/^10\./, `1${10 + i}.`), machine.region),
  );
  const one = new MaliciousMember({
    ...{ behaviour: BEHAVIOURS[malice], machines: [machine, ...others], port: PORT },
    ...{ network, time, draw, signer },
    targets: listing(options).map((number) => ({
      ...{ number, vkey: vkeys[number]!, address: addressOf(number) },
    })),
    onToldApart: ({ number }) => options.onToldApart(number),
  });
  return { vkey: signer.vkey.text, start: () => one.start(), stop: () => one.stop(), close() {} };
}

/** Two whole daemons with one key: a folder was copied, and both are started. */
function copied(options: Options & { identity: Identity; signer: Signer }): Accomplice {
  const { number, time, network, machine, identity, signer, logs, vkeys, addressOf } = options;
  const copy = network.machine(machine.hostname.replace(/^10\./, "110."), machine.region);
  const both = [machine, copy].map((one) =>
    new SimMonitor({
      ...{ number, time, network, machine: one, identity, logs, addressOf, watcher: INERT },
      draw: options.draw.branch(),
      keyOf: (other) => vkeys[other]!,
      monitorAt: () => undefined,
      plan: {
        ...{ peers: [], fanOut: 2, gossipMs: 30_000, pollMs: 30_000, rate: 1, startsAt: 0 },
        disk: { full: false, flaky: 0, slowMs: 0 },
        membership: {
          members: listing(options).map((other) => ({ number: other, byKeyAlone: false })),
          ...{ room: 32, admit: "anyone" },
        },
      },
    })
  );
  return {
    vkey: signer.vkey.text,
    start() {
      for (const [i, one] of both.entries()) time.after(i * COPY_STARTS_MS, () => one.boot());
    },
    stop() {
      for (const one of both) one.retire();
    },
    close() {
      for (const one of both) one.close();
    },
  };
}

/** Nobody checks what becomes of these daemons. */
const INERT: Watcher = {
  ...{ told() {}, refused() {}, asks() {}, putOff() {}, shown() {}, started() {}, failed() {} },
  ...{ letGo() {}, ended: () => Promise.resolve(), account() {} },
};
