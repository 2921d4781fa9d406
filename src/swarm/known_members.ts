/**
 * The members of the configuration, and what is known of each: where it can be called, the session
 * with it, and how it fared.
 *
 * @module
 */
import { MalformedError } from "../tlog/malformed.ts";
import { isObject, listOf, text } from "../tlog/members.ts";
import { parseVkey, type Vkey } from "../tlog/vkey.ts";
import { formatAddress, isSameAddress, parseAddress } from "../world/address.ts";
import type { Address } from "../world/world.ts";
import type { Hello, Refusal } from "./hello.ts";
import type { Seat } from "./room.ts";
import type { Session } from "./session.ts";
import { readSmallFile, type SmallFile, writeSmallFile } from "./small_file.ts";
import type { Neighbour } from "./spreading.ts";

/** Most addresses that are remembered of a member, beside the configured one. */
const MAX_LEARNED = 4;
/** Most monitors that are no members, and whose addresses are remembered until the next start. */
const MAX_TOLD = 1_024;
/** Starts of a member that are remembered, to notice that its key is used twice. */
const MAX_STARTS = 8;
/** What is said to a member whose seat another one gets for a while. It is in good order. */
export const ROTATED = "another member has its turn";
/** The file in the state folder. */
const REMEMBERED_FILE = "members.json";
const REMEMBERED_VERSION = "hearsay/members/v1";

/** A member, as it is configured. */
export interface MemberSettings {
  readonly vkey: string;
  readonly address: Address | undefined;
}

/** A session with a seat. */
export interface Link {
  readonly session: Session;
  readonly seat: Seat;
  readonly hello: Hello;
  readonly neighbour: Neighbour;
  /** On the wall clock, for people. */
  readonly since: string;
}

/** Where a member can be called, and who says so: the vkey of a member. */
interface Learned {
  readonly address: Address;
  readonly by: string;
}

/** What is known of one member. */
export class KnownMember {
  readonly vkey: Vkey;
  /** The configured address. */
  address: Address | undefined;
  /** The session with it, if there is one. */
  link: Link | undefined;
  /** Why there is none, as far as it is known. */
  reason: string | undefined;
  /** With which word it refused the last session, if it did. */
  notWanted: Refusal | undefined;
  /** When the last session with it ended, RFC 3339. */
  awaySince: string | undefined;
  /** When its key was last seen in use twice at once, RFC 3339. */
  usedTwiceAt: string | undefined;
  /** Whether it said that it goes, and did not come back. */
  hasLeft = false;
  /** How often something that it sent was not accepted, by the name of the reason. */
  readonly refusals: Record<string, number> = {};
  /** Other addresses: as it told itself, then as others told, the latest first; one of each. */
  #learned: readonly Learned[] = [];
  /** Which of the addresses is called next. */
  #turn = 0;
  /** The starts that it has named, the latest last. */
  #starts: readonly string[] = [];

  constructor({ vkey, address }: MemberSettings, learned: readonly Learned[]) {
    this.vkey = parseVkey(vkey);
    this.address = address;
    this.#learned = learned;
  }

  /** Where it may be called, the configured address first. */
  get addresses(): readonly Address[] {
    return [...(this.address === undefined ? [] : [this.address]), ...this.learned];
  }

  /** Those that it or others told. */
  get learned(): readonly Address[] {
    return this.#learned.map(({ address }) => address);
  }

  /**
   * The address that is sure, or the likeliest, and in turn one of the others. Others may be lies: were
   * they called instead of it, whoever lies much could keep members apart.
   */
  get addressesToCall(): readonly Address[] {
    const [first, ...others] = this.addresses;
    if (first === undefined) return [];
    return others.length === 0 ? [first] : [first, others[this.#turn % others.length]!];
  }

  /** Notes that a call came to nothing. */
  notReached(reason: string): void {
    this.#turn++;
    this.reason = reason;
    this.notWanted = undefined;
  }

  /**
   * Learns where it can be called. Nobody is believed: whoever answers there has to prove its key. Each
   * member's word about another one is one address, and nobody's displaces its own.
   */
  learn(said: Learned): void {
    if (isSameAddress(this.address, said.address)) return;
    const isItsOwn = ({ by }: Learned): boolean => by === this.vkey.text;
    const isSame = ({ address }: Learned): boolean => isSameAddress(address, said.address);
    if (this.#learned.some((one) => isItsOwn(one) && isSame(one))) return;
    const others = this.#learned.filter((one) => one.by !== said.by && !isSame(one));
    this.#learned = [said, ...others]
      .toSorted((one, other) => Number(isItsOwn(other)) - Number(isItsOwn(one)))
      .slice(0, MAX_LEARNED);
  }

  /**
   * Notes which start of it there is a session with.
   * @returns whether this start was replaced by another one before: then two run at the same time
   */
  noteStart(start: string): boolean {
    const at = this.#starts.indexOf(start);
    const isSecond = at >= 0 && at < this.#starts.length - 1;
    this.#starts = [...this.#starts.filter((one) => one !== start), start].slice(-MAX_STARTS);
    return isSecond;
  }

  /** Why there is no session with it, for a person. */
  get whyAway(): string {
    if (this.reason !== undefined) return this.reason;
    return this.addresses.length === 0
      ? "no address of it is known yet"
      : "there is no session with it";
  }
}

/** All members of the configuration but ourselves. */
export class KnownMembers {
  readonly #own: string;
  readonly #remembered: Remembered;
  #members = new Map<string, KnownMember>();
  /** Addresses of monitors that are no members here, as members told. One of them may become one. */
  readonly #told = new Map<string, Learned>();

  /** @param own our own vkey */
  constructor({ own, members, remembered }: {
    own: string;
    members: readonly MemberSettings[];
    remembered: Remembered;
  }) {
    this.#own = own;
    this.#remembered = remembered;
    this.change(members);
  }

  /** Sets the members. What is known of those that stay is kept. */
  change(members: readonly MemberSettings[]): void {
    const before = this.#members;
    const others = members.filter(({ vkey }) => vkey !== this.#own);
    this.#members = new Map(others.map((settings) => {
      const { vkey, address } = settings;
      const told = this.#told.get(vkey);
      const remembered = (this.#remembered.addresses.get(vkey) ?? [])
        .map((address) => ({ address, by: REMEMBERED_FILE }));
      const learned = [...(told === undefined ? [] : [told]), ...remembered].slice(0, MAX_LEARNED);
      this.#told.delete(vkey);
      const known = before.get(vkey) ?? new KnownMember(settings, learned);
      known.address = address;
      return [vkey, known];
    }));
  }

  /** How many there are. */
  get size(): number {
    return this.#members.size;
  }

  /** All of them, in the order of the configuration. */
  get all(): readonly KnownMember[] {
    return [...this.#members.values()];
  }

  /** Their vkeys. */
  get vkeys(): readonly string[] {
    return [...this.#members.keys()];
  }

  /** The sessions that there are now. */
  get links(): readonly Link[] {
    return this.all.flatMap(({ link }) => link ?? []);
  }

  /** The member with this vkey. */
  get(vkey: string): KnownMember | undefined {
    return this.#members.get(vkey);
  }

  /** A member has told where another monitor can be called. It may be no member here, or not yet. */
  learn(vkey: string, said: Learned): void {
    const known = this.get(vkey);
    if (known !== undefined) return known.learn(said);
    if (this.#told.size < MAX_TOLD || this.#told.has(vkey)) this.#told.set(vkey, said);
  }

  /** The member whose key has this name. */
  named(name: string): KnownMember | undefined {
    return this.all.find(({ vkey }) => vkey.name === name);
  }
}

/** What is remembered of members over a restart. Losing it costs time, and nothing else. */
export interface Remembered {
  /** The members to call first, by vkey. */
  readonly anchors: readonly string[];
  /** By vkey, the addresses that were learned. */
  readonly addresses: ReadonlyMap<string, readonly Address[]>;
}

/** The file in which it is remembered. */
export function rememberedFile(place: Pick<SmallFile, "files" | "folder">): SmallFile {
  return { ...place, name: REMEMBERED_FILE, version: REMEMBERED_VERSION };
}

/** Writes what is to be remembered. @throws WorldError */
export async function writeRemembered(
  file: SmallFile,
  { anchors, members }: { anchors: readonly string[]; members: KnownMembers },
): Promise<void> {
  const addresses = members.all.map(({ vkey, learned }) => [vkey.text, learned.map(formatAddress)]);
  await writeSmallFile(file, { anchors, addresses: Object.fromEntries(addresses) });
}

/**
 * Reads what was remembered.
 * @param onDamage told, in a sentence, that the file is damaged; then nothing is remembered
 * @throws WorldError
 */
export async function readRemembered(
  file: SmallFile,
  onDamage: (detail: string) => void,
): Promise<Remembered> {
  try {
    const { anchors = [], addresses = {} } = await readSmallFile(file) ?? {};
    listOf(text)(anchors, "anchors");
    if (!isObject(addresses)) throw new MalformedError("addresses is no object");
    const known = Object.entries(addresses).map(([vkey, list]) => {
      listOf(text)(list, "addresses");
      return [vkey, (list as string[]).slice(0, MAX_LEARNED).map(parseAddress)] as const;
    });
    return { anchors: anchors as string[], addresses: new Map(known) };
  } catch (error) {
    if (!(error instanceof MalformedError)) throw error;
    onDamage(`${REMEMBERED_FILE} is damaged, and is not used: ${error.message}`);
    return { anchors: [], addresses: new Map() };
  }
}
