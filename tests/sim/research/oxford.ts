/**
 * The setting of Oxford, Parker and Ryan, "Quantitative Verification of Certificate Transparency
 * Gossip Protocols" (SPC 2020), with their two protocols and with Hearsay's exchange in it.
 *
 * What they have is taken from the models they published with the paper, in the PRISM language:
 * github.com/MCOxford/phd_resources, commit 5913929, chapter-4/large-networks/100-clients,
 * split_original.prism and split_new.prism (comments in chapter-4/model-checking/splitworld). The
 * rules below are told in our own words:
 *
 * - 100 clients and five servers know one old checkpoint. The log signs two that extend it: server
 *   1 starts with the genuine one, one client with the other, which is the larger. Nobody asks the
 *   log again: a new checkpoint is taken over from whoever shows it.
 * - In each round a client takes part with the probability of its type, and calls one server:
 *   server 1 with .02, server 2 with .28, and the one its type prefers with .7. Clients call no
 *   clients.
 * - Client and server take over the larger checkpoint of the two; a genuine one against the other
 *   is detected, and so are two clients that bring both to one server. A server that has detected
 *   warns whoever calls from then on. The event counted is that a client has detected, or was
 *   warned.
 * - Improved: before the clients come, each server hears from each other one with probability .2
 *   what it has (but see `OxfordProtocol`), and after they have gone, its warnings.
 *
 * @module
 */
import type { Draw } from "../draw.ts";

/** Rounds by which the probability of detection is given. */
export const OXFORD_ROUNDS: readonly number[] = [1, 5, 10, 20];

/**
 * What they give for 100 clients, from 2,000 samples each (log_split_original.txt,
 * log_split_new.txt beside the models: .005 .3435 .848 .9845 and .0035 .5945 .887 .9905).
 */
export const OXFORD_PUBLISHED: Readonly<Record<"original" | "improved", readonly number[]>> = {
  original: [.005, .344, .848, .985],
  improved: [.004, .595, .887, .991],
};

/** Samples behind each of these numbers. */
export const OXFORD_SAMPLES = 2_000;

/**
 * Chuat et al. 2015 as Oxford et al. model it, and their own variant of it: as their model runs,
 * and as its comments have it. In the model no server hears from server 1, where the genuine
 * checkpoint starts: `module Server2=Server1[s1_sth=s2_sth,s2_sth=s2_sth,…]` renames without
 * swapping, and PRISM expands formulas before it renames. The five-client model beside it does
 * swap. Their numbers are those of the model as it runs.
 */
export type OxfordProtocol = "original" | "improved" | "improved in words";

/** Who is found in the setting; a server of theirs is a callee that never calls. */
export type OxfordRun =
  | { readonly protocol: OxfordProtocol }
  | {
    readonly protocol: "hearsay";
    /** In how many of a hundred rounds a monitor looks at its log. */
    readonly looks: number;
    /** Which of the two new checkpoints is the larger. */
    readonly larger: "genuine" | "other";
  };

/**
 * Clients of each type: how often of a hundred rounds they take part, and the server they prefer.
 */
const CLIENT_TYPES = [
  { clients: 25, takesPart: 80, prefers: 2 },
  { clients: 60, takesPart: 60, prefers: 3 },
  { clients: 15, takesPart: 20, prefers: 4 },
] as const;

const CLIENTS = CLIENT_TYPES.flatMap(({ clients, ...type }) =>
  Array(clients).fill(type)
) as readonly { readonly takesPart: number; readonly prefers: number }[];
const SERVERS = 5;
/** Of a hundred calls, those to the first server, and those to the second. */
const TO_FIRST = 2;
const TO_SECOND = 28;
/** The client that was shown the other story: of the type that calls least. */
const VICTIM = CLIENTS.length - 1;
/** One in so many: that a server of the improved protocol hears from another one in a round. */
const SERVER_HEARS = 5;

/** What someone holds. The order is that of the sizes, in their models. */
const OLD = 0;
const GENUINE = 1;
const OTHER = 2;
type Held = typeof OLD | typeof GENUINE | typeof OTHER;

/** Who calls which server in one round. */
type Calls = readonly { readonly client: number; readonly server: number }[];

/** The probability that a client knows by each round up to the last of `OXFORD_ROUNDS`. */
export function oxfordDetection(
  { run, runs, draw }: { run: OxfordRun; runs: number; draw: Pick<Draw, "below"> },
): number[] {
  const last = OXFORD_ROUNDS.at(-1)!;
  const found = new Array<number>(last + 1).fill(0);
  for (let i = 0; i < runs; i++) {
    const world = run.protocol === "hearsay" ? new Hearsay(run, draw) : new Oxford(run, draw);
    for (let round = 1; round <= last; round++) {
      if (!world.round(callsOf(draw))) continue;
      found[round]!++;
      break;
    }
  }
  let sum = 0;
  return found.map((count) => (sum += count) / runs);
}

/** The standard error of a share that came out of so many samples. */
export function errorOfShare({ share, samples }: { share: number; samples: number }): number {
  return Math.sqrt(share * (1 - share) / samples);
}

function callsOf(draw: Pick<Draw, "below">): Calls {
  const calls: { client: number; server: number }[] = [];
  for (const [client, { takesPart, prefers }] of CLIENTS.entries()) {
    if (draw.below(100) >= takesPart) continue;
    const at = draw.below(100);
    const server = at < TO_FIRST ? 0 : at < TO_FIRST + TO_SECOND ? 1 : prefers;
    calls.push({ client, server });
  }
  return calls;
}

function startClients(): Held[] {
  return CLIENTS.map((_, i) => i === VICTIM ? OTHER : OLD);
}

function startServers(): Held[] {
  return Array.from({ length: SERVERS }, (_, i) => i === 0 ? GENUINE : OLD);
}

/** Their two protocols. All of a round goes by what everyone held when it began. */
class Oxford {
  readonly #isImproved: boolean;
  readonly #hearsFirst: boolean;
  readonly #draw: Pick<Draw, "below">;
  readonly #clients = startClients();
  #servers = startServers();
  readonly #warns = new Array<boolean>(SERVERS).fill(false);

  constructor({ protocol }: { protocol: OxfordProtocol }, draw: Pick<Draw, "below">) {
    this.#isImproved = protocol !== "original";
    this.#hearsFirst = protocol === "improved in words";
    this.#draw = draw;
  }

  /** One round; whether a client has come to know. */
  round(calls: Calls): boolean {
    if (this.#isImproved) {
      this.#serversTell(GENUINE);
      this.#serversTell(OTHER);
    }
    const held = [...this.#servers];
    const warned = [...this.#warns];
    const brought = held.map(() => new Set<Held>());
    let known = false;
    for (const { client, server } of calls) {
      const theirs = this.#clients[client]!;
      brought[server]!.add(theirs);
      if (warned[server] || contradict(theirs, held[server]!)) known = true;
      else this.#clients[client] = larger(theirs, held[server]!);
    }
    for (const [server, views] of brought.entries()) {
      if (this.#warns[server]) continue;
      const all = new Set([held[server]!, ...views]);
      if (all.has(GENUINE) && all.has(OTHER)) this.#detect(server);
      else this.#servers[server] = [...all].reduce(larger);
    }
    if (this.#isImproved) this.#serversWarn();
    return known;
  }

  /** Servers that hold one of the two tell each of the others, by chance. */
  #serversTell(what: Held): void {
    const before = [...this.#servers];
    const heard = this.#hearsFirst ? before : before.slice(1);
    const tellers = heard.filter((held) => held === what).length;
    for (const [server, held] of before.entries()) {
      if (this.#warns[server] || held === what || !this.#hears(tellers)) continue;
      if (contradict(held, what)) this.#detect(server);
      else this.#servers[server] = what;
    }
  }

  #serversWarn(): void {
    const tellers = this.#warns.filter((warns) => warns).length;
    for (let server = 0; server < SERVERS; server++) {
      if (this.#hears(tellers)) this.#detect(server);
    }
  }

  /** Whether at least one of so many is heard. */
  #hears(tellers: number): boolean {
    let heard = false;
    for (let i = 0; i < tellers; i++) heard = this.#draw.below(SERVER_HEARS) === 0 || heard;
    return heard;
  }

  /** A server that has detected hands on nothing but its warning. */
  #detect(server: number): void {
    this.#warns[server] = true;
    this.#servers[server] = OLD;
  }
}

/**
 * Hearsay's exchange among them. A view comes from a monitor's own looks at its log, which shows
 * the victim one story and everyone else the other; nobody takes a view over from a peer, and a
 * checkpoint that was heard is not handed on. So the victim's own calls are the only ones that can
 * show the split.
 */
class Hearsay {
  readonly #looks: number;
  readonly #larger: Held;
  readonly #draw: Pick<Draw, "below">;
  readonly #servers = startServers();
  readonly #clients = startClients();
  readonly #hasCase = new Array<boolean>(SERVERS).fill(false);
  /** Which client has asked which server what it knows, as it does at its first call. */
  readonly #asked = new Set<number>();

  constructor(
    { looks, larger }: { looks: number; larger: "genuine" | "other" },
    draw: Pick<Draw, "below">,
  ) {
    this.#looks = looks;
    this.#larger = larger === "genuine" ? GENUINE : OTHER;
    this.#draw = draw;
  }

  /** One round; whether a client has come to know. */
  round(calls: Calls): boolean {
    for (const held of [this.#servers, this.#clients]) {
      for (const [i, view] of held.entries()) {
        if (view === OLD && this.#draw.below(100) < this.#looks) held[i] = GENUINE;
      }
    }
    let known = false;
    const found: number[] = [];
    for (const { client, server } of calls) {
      const [ours, theirs] = [this.#clients[client]!, this.#servers[server]!];
      // Whoever has the larger view settles the other's, right after the exchange.
      if (contradict(ours, theirs)) {
        if (ours === this.#larger) known = true;
        else found.push(server);
      }
      // A question is put at the first call, and whenever the server is ahead.
      const pair = client * SERVERS + server;
      const asks = !this.#asked.has(pair) || this.#isAhead(theirs, ours);
      if (asks && this.#hasCase[server]) known = true;
      this.#asked.add(pair);
    }
    for (const server of found) this.#hasCase[server] = true;
    return known;
  }

  #isAhead(a: Held, b: Held): boolean {
    return a !== b && (b === OLD || a === this.#larger);
  }
}

function contradict(a: Held, b: Held): boolean {
  return a !== b && a !== OLD && b !== OLD;
}

function larger(a: Held, b: Held): Held {
  return a > b ? a : b;
}
