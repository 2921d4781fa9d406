/**
 * A lighter model of how a case spreads, without daemons, for fleets that are too large for the full
 * simulation. It knows who was shown which story and who knows of the case. It has no bytes,
 * signatures or disks. What an exchange costs is computed from sizes measured from the real code.
 *
 * Every call depends on what both ends knew when the round, or the wave of calls after a discovery,
 * began. The model leaves out calls that fail, time on the wire, and the limits of a callee
 * (`DEFAULT_LIMITS` serves 256 connections and 16 parcels at once), which a burst of a thousand calls
 * exceeds.
 *
 * @module
 */
import type { Draw } from "../draw.ts";

/** A fleet, and how its log has split it. */
export interface SpreadSetting {
  /** The number of all monitors, silent ones included. Everyone has everyone else as a peer. */
  readonly monitors: number;
  /** How many peers a monitor calls in a round. */
  readonly fanOut: number;
  /** The share of silent monitors (rounded), which accept calls, never answer, and never call. */
  readonly silentShare: number;
  /**
   * Whether all views have one size. Otherwise the two stories have two sizes, and chance decides which
   * is larger. Either way there is one case; with more sizes there would be one for each contradicted
   * root.
   */
  readonly sizes: "equal" | "unequal";
  /** How many of the honest monitors were shown the other story: one of them, or half. */
  readonly odd: "one" | "half";
}

/** The result of one fleet. Rounds are gossip intervals since the log told its second story. */
export interface SpreadResult {
  /** When the first honest monitor knew of the case; `Infinity` if none ever did. */
  readonly detectionRound: number;
  /** When the last honest monitor knew of it; `Infinity` if one never did. */
  readonly allKnowRound: number;
  /**
   * How many exchanges each honest monitor began, on average, from the split until all knew and had
   * told. All are answered except those with silent peers.
   */
  readonly exchangesPerMonitor: number;
  /**
   * How many bytes of frames and parcels both ends wrote in these exchanges, for each honest monitor,
   * on average. What TCP adds is not counted.
   */
  readonly bytesPerMonitor: number;
}

/** A run of the full simulation: whole daemons in one process. */
export type FullRun = (setting: SpreadSetting, seed: number) => Promise<SpreadResult>;

/** Sizes on the wire, in bytes. `measureWire` in report.ts measures them. */
export interface WireSizes {
  readonly frame: number;
  /** A parcel without items. */
  readonly parcel: number;
  /** A checkpoint's note as an item of a parcel. */
  readonly note: number;
  /** The evidence id of one case that the asking end has, as an item. */
  readonly known: number;
  /** A conflict record as an item, by the sizes of its two checkpoints. */
  readonly record: Readonly<Record<SpreadSetting["sizes"], number>>;
}

/** How a fleet behaves, if not as Hearsay does. */
export interface SpreadManner {
  /**
   * Whether a monitor that learns of the case calls all its peers at once. Otherwise a case spreads in
   * ordinary rounds only, as in the literature.
   */
  readonly tellsAtOnce?: boolean;
  /**
   * Whether all monitors have their rounds at the same moment, as in the literature, or each has its
   * own moment in the interval, as daemons do. Their jitter (a fifth of an interval) is left out.
   */
  readonly pace?: "together" | "apart";
  /** Whether each peer is called once in a random order, and then again, or any peer at any time. */
  readonly choice?: "rotation" | "any";
  /** With "known" nobody is split, and monitor 0 knows of a case from the start. */
  readonly begins?: "split" | "known";
  /** Each monitor's peers; everyone else if not given. */
  readonly peers?: readonly (readonly number[])[];
}

/** A result, and the round in which each monitor learned of the case. The silent ones come last. */
export interface Spread extends SpreadResult {
  readonly learnt: readonly number[];
}

/** The model ends after so many rounds. Who does not know of the case by then never will. */
export const MAX_ROUNDS = 10_000;

/** Lets a case spread through one fleet. */
export function spread(
  { setting, wire, draw, ...manner }: SpreadManner & {
    setting: SpreadSetting;
    wire: WireSizes;
    draw: Pick<Draw, "below">;
  },
): Spread {
  return new Fleet({ setting, wire, draw, manner }).run();
}

/** How many of the monitors of a setting are silent: the last ones. */
export function silentOf({ monitors, silentShare }: SpreadSetting): number {
  return Math.round(monitors * silentShare);
}

/** Chooses `each` peers at random for every monitor: none of them twice, and never itself. */
export function somePeers(
  { monitors, each, draw }: { monitors: number; each: number; draw: Pick<Draw, "below"> },
): number[][] {
  return Array.from({ length: monitors }, (_, self) => {
    const walk = new Rotation(monitors - 1);
    return Array.from({ length: each }, () => othersThan(self, walk.next(draw)));
  });
}

/** The `index`th of all monitors but one. */
function othersThan(self: number, index: number): number {
  return index < self ? index : index + 1;
}

/** Goes through `count` things in a random order, and then in another random order. */
class Rotation {
  readonly #count: number;
  /** The shuffle's swaps so far: for each place that changed, what is there now. */
  readonly #moved = new Map<number, number>();
  #at = 0;

  constructor(count: number) {
    this.#count = count;
  }

  /** The next thing. The shuffle is done one step at a time, as far as it is needed. */
  next(draw: Pick<Draw, "below">): number {
    if (this.#at === this.#count) {
      this.#at = 0;
      this.#moved.clear();
    }
    const at = this.#at + draw.below(this.#count - this.#at);
    const drawn = this.#moved.get(at) ?? at;
    this.#moved.set(at, this.#moved.get(this.#at) ?? this.#at);
    this.#at++;
    return drawn;
  }
}

/** Two honest monitors at the moment one calls the other. */
interface Meeting {
  readonly callerKnows: boolean;
  readonly calleeKnows: boolean;
  readonly sameStory: boolean;
  /** Which of them has the larger view, if the sizes differ. */
  readonly larger: "caller" | "callee" | undefined;
  /** The caller has not called this peer before, and so asks what it knows. */
  readonly first: boolean;
  /** The caller has handed its record to this peer before. */
  readonly handed: boolean;
}

/** The result of such a call. */
interface Outcome {
  readonly callerLearns: boolean;
  readonly calleeLearns: boolean;
  readonly bytes: number;
}

/** One round with a peer about one log, as in gossip/round.ts and gossip/answering.ts. */
function exchange(meeting: Meeting, sizes: SpreadSetting["sizes"], wire: WireSizes): Outcome {
  return sizes === "equal" ? exchangeEqual(meeting, wire) : exchangeUnequal(meeting, wire);
}

/** With equal sizes, the two frames are the evidence. */
function exchangeEqual(
  meeting: Meeting,
  { frame, parcel, note, known, record }: WireSizes,
): Outcome {
  const { callerKnows, calleeKnows, sameStory, first } = meeting;
  // The callee answers with its own frame, or with the other half that it knows: both ends then have
  // the case.
  if (!sameStory || calleeKnows) {
    // If the caller asks, it says that it has the case, and the answer has only the contradiction.
    const bytes = 2 * frame + (first ? 2 * parcel + 2 * note + known : 0);
    return { callerLearns: true, calleeLearns: true, bytes };
  }
  const asked = first ? 2 * note + (callerKnows ? known : 0) : 0;
  const told = callerKnows ? record.equal : 0;
  const bytes = 2 * frame + (first || callerKnows ? 2 * parcel + asked + told : 0);
  return { callerLearns: false, calleeLearns: callerKnows, bytes };
}

/**
 * With unequal sizes, the end with the larger view settles the other's checkpoint by the log's tiles,
 * right after the exchange. The other end learns of the case when it is told.
 */
function exchangeUnequal(
  meeting: Meeting,
  { frame, parcel, note, known, record }: WireSizes,
): Outcome {
  const { callerKnows, calleeKnows, larger, first, handed } = meeting;
  const asks = first || larger === "callee";
  const hands = callerKnows && !handed;
  const shows = asks && !callerKnows && calleeKnows;
  const asked = 2 * note + (callerKnows ? known : 0);
  const parcels = asks || hands
    ? 2 * parcel + (asks ? asked : 0) + (hands || shows ? record.unequal : 0)
    : 0;
  return {
    callerLearns: shows || larger === "caller",
    calleeLearns: hands || larger === "callee",
    bytes: 2 * frame + parcels,
  };
}

/** What a caller remembers of a peer it has called. */
type Contact = "asked" | "handed";

/** The step of a monitor that has not learned of the case. */
const NEVER = Infinity;

class Fleet {
  readonly #setting: SpreadSetting;
  readonly #wire: WireSizes;
  readonly #draw: Pick<Draw, "below">;
  readonly #manner: SpreadManner;
  readonly #honest: number;
  readonly #silent: number;
  readonly #isOdd: Uint8Array;
  /** Whether the other story has the larger size, if the sizes differ. */
  readonly #oddIsLarger: boolean;
  readonly #rotations: readonly Rotation[];
  readonly #contacts: readonly Map<number, Contact>[];
  readonly #hasTold: Uint8Array;
  /** The step in which each learned of the case. A step is a round, one monitor's moment, or a wave. */
  readonly #since: Float64Array;
  readonly #learnt: Float64Array;
  #step = 0;
  #time = 0;
  /** The monitors that learned of the case in this step. */
  #fresh: number[] = [];
  #ignorant: number;
  #calls = 0;
  #bytes = 0;

  constructor({ setting, wire, draw, manner }: {
    setting: SpreadSetting;
    wire: WireSizes;
    draw: Pick<Draw, "below">;
    manner: SpreadManner;
  }) {
    this.#setting = setting;
    this.#wire = wire;
    this.#draw = draw;
    this.#manner = manner;
    this.#silent = silentOf(setting);
    this.#honest = this.#ignorant = setting.monitors - this.#silent;
    const some = { length: this.#honest };
    this.#rotations = Array.from(some, (_, self) => new Rotation(this.#peersOf(self)));
    this.#contacts = Array.from(some, () => new Map());
    this.#hasTold = new Uint8Array(this.#honest);
    this.#since = new Float64Array(this.#honest).fill(NEVER);
    this.#learnt = new Float64Array(setting.monitors).fill(Infinity);
    this.#isOdd = new Uint8Array(this.#honest);
    this.#oddIsLarger = draw.below(2) === 1;
    if (manner.begins === "known") this.#learn(0);
    else this.#split();
  }

  run(): Spread {
    const { pace = "together", tellsAtOnce = true } = this.#manner;
    const together = Array.from({ length: this.#honest }, (_, i) => i);
    const moments = pace === "together"
      ? [{ at: 1, callers: together }]
      : together.map((i) => ({ at: (this.#draw.below(2 ** 32) + 1) / 2 ** 32, callers: [i] }))
        .sort((a, b) => a.at - b.at);
    for (let round = 0; round < MAX_ROUNDS && this.#ignorant > 0; round++) {
      for (const { at, callers } of moments) {
        this.#begin(round + at);
        for (const caller of callers) this.#callSome(caller);
        if (tellsAtOnce) this.#tell();
        if (this.#ignorant === 0) break;
      }
    }
    const learnt = [...this.#learnt];
    const honest = learnt.slice(0, this.#honest);
    return {
      detectionRound: honest.reduce((a, b) => Math.min(a, b)),
      allKnowRound: honest.reduce((a, b) => Math.max(a, b)),
      exchangesPerMonitor: this.#calls / this.#honest,
      bytesPerMonitor: this.#bytes / this.#honest,
      learnt,
    };
  }

  /** Shows the other story to some of the honest monitors, chosen at random. */
  #split(): void {
    const walk = new Rotation(this.#honest);
    const odd = this.#setting.odd === "one" ? 1 : Math.floor(this.#honest / 2);
    for (let i = 0; i < odd; i++) this.#isOdd[walk.next(this.#draw)] = 1;
  }

  #begin(time: number): void {
    this.#step++;
    this.#time = time;
    this.#fresh = [];
  }

  /** How many peers a monitor has. */
  #peersOf(self: number): number {
    const { peers } = this.#manner;
    return peers === undefined ? this.#setting.monitors - 1 : peers[self]!.length;
  }

  /** One peer of a monitor, by its index. */
  #peer(self: number, index: number): number {
    const { peers } = this.#manner;
    return peers === undefined ? othersThan(self, index) : peers[self]![index]!;
  }

  /** The calls of one round. */
  #callSome(caller: number): void {
    const count = this.#peersOf(caller);
    const isAny = this.#manner.choice === "any";
    const chosen = new Set<number>();
    // If a rotation begins again within a round, it may give a peer of this round again. A set holds it
    // once.
    while (chosen.size < Math.min(this.#setting.fanOut, count)) {
      chosen.add(isAny ? this.#draw.below(count) : this.#rotations[caller]!.next(this.#draw));
    }
    for (const index of chosen) this.#call(caller, this.#peer(caller, index));
  }

  #call(caller: number, callee: number): void {
    this.#calls++;
    if (callee >= this.#honest) {
      this.#bytes += this.#wire.frame;
      return;
    }
    const contact = this.#contactOf(caller, callee);
    const callerKnows = this.#knew(caller);
    const outcome = this.#exchange({
      callerKnows,
      calleeKnows: this.#knew(callee),
      callerIsOdd: this.#isOdd[caller] === 1,
      calleeIsOdd: this.#isOdd[callee] === 1,
      contact,
    });
    this.#bytes += outcome.bytes;
    // A monitor that tells calls all its peers, so afterwards nothing about single peers is needed.
    if (!callerKnows || this.#manner.tellsAtOnce === false) {
      this.#contacts[caller]!.set(callee, callerKnows || contact === "handed" ? "handed" : "asked");
    }
    if (outcome.callerLearns) this.#learn(caller);
    if (outcome.calleeLearns) this.#learn(callee);
  }

  #exchange({ callerKnows, calleeKnows, callerIsOdd, calleeIsOdd, contact }: {
    callerKnows: boolean;
    calleeKnows: boolean;
    callerIsOdd: boolean;
    calleeIsOdd: boolean;
    contact: Contact | undefined;
  }): Outcome {
    const { sizes } = this.#setting;
    const sameStory = callerIsOdd === calleeIsOdd;
    const larger = callerIsOdd === this.#oddIsLarger ? "caller" : "callee";
    const first = contact === undefined;
    const handed = contact === "handed";
    const meeting: Meeting = {
      callerKnows,
      calleeKnows,
      sameStory,
      larger: sameStory || sizes === "equal" ? undefined : larger,
      first,
      handed,
    };
    return exchange(meeting, sizes, this.#wire);
  }

  /** Monitors that learned of the case call all their peers, and so do those that learn by that. */
  #tell(): void {
    while (this.#fresh.length > 0) {
      const tellers = this.#fresh;
      this.#begin(this.#time);
      if (this.#manner.peers === undefined) this.#tellEveryone(tellers);
      else {
        for (const teller of tellers) {
          for (const peer of this.#manner.peers[teller]!) this.#call(teller, peer);
        }
      }
      for (const teller of tellers) this.#hasTold[teller] = 1;
    }
  }

  /** Tells everyone, by counting calls of one kind: to make every single call would take too long. */
  #tellEveryone(tellers: readonly number[]): void {
    /** How many honest monitors there are of each kind; the kind decides what an exchange costs. */
    const kinds = [false, true].flatMap((knows) =>
      [false, true].map((isOdd) => ({ knows, isOdd, count: 0 }))
    );
    const kindOf = (i: number) => kinds[(this.#knew(i) ? 2 : 0) + this.#isOdd[i]!]!;
    for (let i = 0; i < this.#honest; i++) kindOf(i).count++;
    for (const teller of tellers) {
      const fresh = kinds.map(({ count }) => count);
      fresh[kinds.indexOf(kindOf(teller))]!--;
      for (const peer of this.#contacts[teller]!.keys()) {
        fresh[kinds.indexOf(kindOf(peer))]!--;
        this.#call(teller, peer);
      }
      for (const [i, { knows, isOdd }] of kinds.entries()) {
        const { bytes } = this.#exchange({
          callerKnows: true,
          calleeKnows: knows,
          callerIsOdd: this.#isOdd[teller] === 1,
          calleeIsOdd: isOdd,
          contact: undefined,
        });
        this.#calls += fresh[i]!;
        this.#bytes += fresh[i]! * bytes;
      }
      this.#calls += this.#silent;
      this.#bytes += this.#silent * this.#wire.frame;
    }
    for (let i = 0; i < this.#honest; i++) this.#learn(i);
  }

  #contactOf(caller: number, callee: number): Contact | undefined {
    return this.#hasTold[caller] === 1 ? "handed" : this.#contacts[caller]!.get(callee);
  }

  /** Whether a monitor knew of the case before this step. */
  #knew(monitor: number): boolean {
    return this.#since[monitor]! < this.#step;
  }

  #learn(monitor: number): void {
    if (this.#since[monitor] !== NEVER) return;
    this.#since[monitor] = this.#step;
    this.#learnt[monitor] = this.#time;
    this.#ignorant--;
    this.#fresh.push(monitor);
  }
}
