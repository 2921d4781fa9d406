import { mirroredKeys, openHead } from "../federation/mirror_folder.ts";
import { type FederationSettings, MAX_MIRRORS } from "../federation/settings.ts";
import { type MirrorHost, mirrorId, type Push, type PushOutcome } from "../federation/wire.ts";
import { membersAmong, type PeerSettings } from "../gossip/settings.ts";
import { parseCheckpointText } from "../tlog/checkpoint_text.ts";
import type { Log } from "../tlog/log.ts";
import { quoted } from "../tlog/malformed.ts";
import { parseNote } from "../tlog/note.ts";
import { parseVkey, SIGNATURE_TYPE, type Vkey } from "../tlog/vkey.ts";
import type { Background } from "../world/background.ts";
import { Stop } from "../world/stop.ts";
import type { Common } from "./common.ts";
import type { Federating } from "./federating.ts";
import type { Follower } from "./follower.ts";
import { JournalPusher } from "./journal_pusher.ts";
import { MirroredJournal, type MirrorStatus } from "./mirrored_journal.ts";

/** How many of them may be of strangers, where anyone may push. */
export const MAX_STRANGERS_MIRRORS = MAX_MIRRORS / 4;

/** The origins of journals (see `formatOrigin`), and the monitor's name in each. */
const ORIGIN = /^(.+)\/incidents(?:\/[1-9]\d*)?$/;

/**
 * The journals of other monitors that a daemon mirrors: those of the configuration, which it fetches,
 * and those of members, which push theirs. Each is a log that is followed. And what is new in this
 * monitor's own journal is pushed to those whose journals it fetches.
 */
export class Mirroring implements MirrorHost {
  readonly #common: Common;
  readonly #background: Background;
  readonly #state: string;
  readonly #contact: string;
  readonly #stop = new Stop();
  /** By the name of the monitor's key. */
  readonly #journals = new Map<string, MirroredJournal>();
  readonly #pushers: readonly { readonly url: string; readonly pusher: JournalPusher }[];
  /** The keys whose journals may be pushed here. */
  #members: readonly Vkey[];
  readonly #admitsAnyone: boolean;
  #isEnded = false;

  private constructor({ common, background, federating, settings, folder, contact, members }: {
    common: Common;
    background: Background;
    federating: Federating;
    settings: FederationSettings;
    folder: string;
    contact: string;
    members: readonly Vkey[];
  }) {
    this.#common = common;
    this.#background = background;
    this.#state = folder;
    this.#contact = contact;
    this.#members = members;
    this.#admitsAnyone = settings.admit === "anyone";
    for (const { vkey, url, everyMs } of settings.mirrors) this.#add(vkey, { url, everyMs });
    const { clock } = common.world;
    this.#pushers = [...this.#journals.values()].flatMap(({ publisher: receiver, pulled }) =>
      receiver === undefined || pulled === undefined ? [] : [{
        url: pulled.url,
        pusher: new JournalPusher({ receiver, own: federating.log, clock }),
      }]
    );
    common.happenings.subscribe((happening) => {
      const isLonger = (happening.kind === "case" && happening.news.outcome === "recorded") ||
        happening.kind === "incident step";
      if (!isLonger || this.#isEnded) return;
      background.run(async () => {
        await federating.advance();
        await this.#pushOut();
      });
    });
  }

  /**
   * Opens the mirrors. One that our disk refuses is opened by its next sync.
   * @param folder of the state
   * @param peers those with a vkey are members
   * @throws IncidentNotWritten, WorldError from the journals
   */
  static async open({ common, background, federating, settings, folder, contact, peers }: {
    common: Common;
    background: Background;
    federating: Federating;
    settings: FederationSettings;
    folder: string;
    contact: string;
    peers: readonly PeerSettings[];
  }): Promise<Mirroring> {
    const members = membersAmong(peers).map(({ vkey }) => parseVkey(vkey));
    const mirroring = new Mirroring({
      ...{ common, background, federating, settings, folder, contact, members },
    });
    await mirroring.#addPushed();
    for (const journal of mirroring.#journals.values()) {
      try {
        await journal.open();
      } catch (error) {
        common.happenings.failed(error);
      }
    }
    return mirroring;
  }

  /** The names of the monitors. */
  get names(): readonly string[] {
    return [...this.#journals.keys()];
  }

  /** The followers of the journals as logs. */
  get followers(): readonly Follower[] {
    return [...this.#journals.values()].flatMap(({ follower }) => follower ?? []);
  }

  /** The journals as logs, and as those that they were before they began anew. */
  get logs(): readonly Log[] {
    return [...this.#journals.values()].flatMap(({ logs }) => logs);
  }

  /** Incidents about what these journals were before they began anew, and before the last start. */
  get formerCases(): number {
    return [...this.#journals.values()].reduce((sum, { formerCases }) => sum + formerCases, 0);
  }

  /** Whether a source is one of these journals: then it counts as a peer. */
  has(source: string): boolean {
    return [...this.#journals.values()].some((journal) => journal.source === source);
  }

  /** See `MirrorStatus`. */
  status(): readonly MirrorStatus[] {
    return [...this.#journals.values()].map((journal) => journal.status());
  }

  /** Other peers or logs are configured from now on. */
  changed(peers: readonly PeerSettings[]): void {
    this.#members = membersAmong(peers).map(({ vkey }) => parseVkey(vkey));
    for (const journal of this.#journals.values()) {
      journal.hearAllAgain();
      this.#background.run(() => journal.hearRecords());
    }
  }

  /** Fetches every journal at its pace until stopped. */
  async run(): Promise<void> {
    this.#background.run(() => this.#pushOut());
    await Promise.all([...this.#journals.values()].map((journal) => journal.run()));
  }

  /** Fetches every journal once. */
  async syncAll(): Promise<void> {
    await Promise.all([...this.#journals.values()].map((journal) => journal.sync()));
  }

  /** See MirrorHost. */
  async push(push: Push, _caller: string): Promise<PushOutcome> {
    if (this.#isEnded) return { status: 503, detail: "this monitor ends", retryAfterS: 60 };
    const { origin } = parseCheckpointText(parseNote(push.checkpoint).text);
    const name = ORIGIN.exec(origin)?.[1];
    const journal = name === undefined ? undefined : await this.#admitted(name, push);
    if (journal === undefined) {
      const detail = `the journal ${quoted(origin)} is of nobody whose journal is mirrored here`;
      return { status: 403, detail };
    }
    const outcome = await journal.push(push);
    if (outcome.status === 200) this.#background.run(() => journal.afterPush());
    return outcome;
  }

  /** See MirrorHost. */
  async file(
    { id, file }: { id: string; file: string },
  ): Promise<Uint8Array<ArrayBuffer> | undefined> {
    const journal = [...this.#journals.values()].find(({ vkey }) => mirrorId(vkey.name) === id);
    return await journal?.mirror.file(file);
  }

  /** Begins nothing more. */
  end(): void {
    this.#isEnded = true;
    this.#stop.stop();
    for (const journal of this.#journals.values()) journal.stop();
  }

  /** Waits for what is under way and closes the mirrors. */
  async close(): Promise<void> {
    this.end();
    for (const journal of this.#journals.values()) await journal.close();
  }

  /** Waits until nothing is being settled. */
  async done(): Promise<void> {
    await Promise.all(this.followers.map((follower) => follower.done()));
  }

  /**
   * The journal of the monitor with this name, if it may push. It is begun here if that is a member or,
   * where anyone is admitted, if the push names a key that has signed it.
   * @throws MalformedError if it names no such key
   */
  async #admitted(
    name: string,
    { checkpoint, vkey: named }: Push,
  ): Promise<MirroredJournal | undefined> {
    const known = this.#journals.get(name);
    if (known !== undefined) return this.#mayPush(known) ? known : undefined;
    let vkey = this.#members.find((one) => one.name === name);
    if (vkey === undefined && this.#admitsAnyone && named !== undefined) {
      vkey = parseVkey(named);
      if (vkey.name !== name || vkey.type !== SIGNATURE_TYPE.ed25519) return undefined;
      openHead(checkpoint, vkey);
    }
    if (vkey === undefined || !this.#hasRoom(vkey)) return undefined;
    const journal = this.#add(vkey);
    try {
      await journal.open();
    } catch (error) {
      // The push tries again, and its answer says why it cannot be kept.
      this.#common.happenings.failed(error);
    }
    return journal;
  }

  /** Whether there is room for one more journal, of this key. Strangers leave room for members. */
  #hasRoom(vkey: Vkey): boolean {
    if (this.#isMember(vkey)) return this.#journals.size < MAX_MIRRORS;
    const strangers = [...this.#journals.values()]
      .filter((one) => one.pulled === undefined && !this.#isMember(one.vkey));
    return strangers.length < MAX_STRANGERS_MIRRORS && this.#journals.size < MAX_MIRRORS;
  }

  #isMember({ text }: Vkey): boolean {
    return this.#members.some((one) => one.text === text);
  }

  /** Whether a journal that is mirrored already may still be pushed: members come and go. */
  #mayPush({ vkey, pulled }: MirroredJournal): boolean {
    return pulled !== undefined || this.#admitsAnyone || this.#isMember(vkey);
  }

  /** Takes up the journals that were pushed before, by those who may still do so. */
  async #addPushed(): Promise<void> {
    const { world: { files }, happenings } = this.#common;
    try {
      for (const vkey of await mirroredKeys(files, this.#state)) {
        const mayPush = this.#admitsAnyone || this.#isMember(vkey);
        if (!mayPush || this.#journals.has(vkey.name)) continue;
        if (this.#hasRoom(vkey)) this.#add(vkey);
      }
    } catch (error) {
      happenings.failed(error);
    }
  }

  #add(vkey: Vkey, pulled?: { url: string; everyMs: number }): MirroredJournal {
    const { judge } = this.#common.keeper;
    const journal = new MirroredJournal({
      ...{ common: this.#common, vkey, pulled, state: this.#state, contact: this.#contact },
      stop: this.#stop,
      follow: (added, removed) =>
        this.#common.keeper.follow([...judge.logs.filter((log) => log !== removed), added]),
    });
    this.#journals.set(vkey.name, journal);
    return journal;
  }

  /** Pushes what is new in the own journal to all that may mirror it. */
  async #pushOut(): Promise<void> {
    const { happenings } = this.#common;
    await Promise.all(this.#pushers.map(async ({ url, pusher }) => {
      try {
        const pushed = await pusher.push();
        if (!this.#isEnded) happenings.tell({ kind: "journal pushed", url, pushed });
      } catch (error) {
        happenings.failed(error);
      }
    }));
  }
}
