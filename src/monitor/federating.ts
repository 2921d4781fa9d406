import { Gate } from "../federation/gate.ts";
import { JournalLog } from "../federation/journal_log.ts";
import type { FederationSettings } from "../federation/settings.ts";
import type { MirrorHost } from "../federation/wire.ts";
import { JOURNAL_FILE } from "../store/journal.ts";
import { formatAddress } from "../world/address.ts";
import type { Background } from "../world/background.ts";
import type { Signer } from "../world/signer.ts";
import type { Stop } from "../world/stop.ts";
import type { Address } from "../world/world.ts";
import { join } from "@std/path/join";
import type { Common } from "./common.ts";
import { headMemory } from "./journal_head.ts";

/** The folder of the static files in the state folder. */
export const STATIC_FOLDER = "incidents-log";
/** How often it is tried again to publish what could not be published. */
const AGAIN_MS = 60_000;

/** The publishing of the own journal in a daemon's status. */
export interface FederationStatus {
  readonly origin: string;
  /** Entries that the signed head covers, decimal. */
  readonly size: string;
  /** Where it is published, if anywhere. */
  readonly address?: string;
  /** Why a new epoch began at this start or since, if one did. */
  readonly newEpoch?: string;
  /** Whether the journal has entries that could not be signed or filed yet: the disk refuses. */
  readonly isBehind?: boolean;
}

/** What was told of it. */
interface Told {
  /** Why the last new epoch began. */
  newEpoch?: string;
}

/** Publishes the incident journal of a daemon as a log. */
export class Federating {
  readonly settings: FederationSettings;
  readonly log: JournalLog;
  readonly gate: Gate;
  /** What it mirrors; nothing while it mirrors nothing. */
  mirrors: MirrorHost | undefined;
  readonly #common: Common;
  readonly #told: Told;
  #servedAt: Address | undefined;
  #isBehind = false;

  private constructor(
    { common, settings, log, told }: {
      common: Common;
      settings: FederationSettings;
      log: JournalLog;
      told: Told;
    },
  ) {
    this.settings = settings;
    this.log = log;
    this.#common = common;
    this.#told = told;
    this.gate = new Gate({ clock: common.world.clock, limits: settings });
  }

  /**
   * Signs the head of the journal as it is, and signs it again whenever a case is recorded.
   * @param folders of the state and of the incident journal
   * @param isSuspect whether something of them was lost
   * @throws WorldError
   */
  static async open({ common, background, settings, signer, folders, isSuspect }: {
    common: Common;
    background: Background;
    settings: FederationSettings;
    signer: Signer;
    folders: { readonly state: string; readonly incidents: string };
    isSuspect: boolean;
  }): Promise<Federating> {
    const { world: { files, clock }, keeper, happenings } = common;
    const told: Told = {};
    const log = await JournalLog.open({
      ...{ files, clock, signer, isSuspect },
      memory: headMemory({ files, folder: folders.state }),
      journal: {
        path: join(folders.incidents, JOURNAL_FILE),
        durableEnd: () => keeper.incidents!.end,
      },
      folder: join(folders.state, STATIC_FOLDER),
      onNewEpoch: ({ origin, detail }) => {
        told.newEpoch = detail;
        happenings.tell({ kind: "journal epoch", origin, detail });
      },
    });
    const federating = new Federating({ common, settings, log, told });
    const { advance } = federating;
    happenings.subscribe((happening) => {
      const isLonger = (happening.kind === "case" && happening.news.outcome === "recorded") ||
        happening.kind === "incident step";
      if (isLonger) background.run(advance);
    });
    return federating;
  }

  /** Signs and files what the journal has more than before. What fails is told, and tried again. */
  readonly advance = async (): Promise<void> => {
    try {
      await this.log.advance();
      this.#isBehind = false;
    } catch (error) {
      this.#isBehind = true;
      this.#common.happenings.failed(error);
    }
  };

  /** Tries again now and then what failed, until stopped. */
  async run(stop: Stop): Promise<void> {
    for (;;) {
      await this.advance();
      if (stop.stopped) return;
      await stop.pause(this.#common.world.clock, AGAIN_MS);
    }
  }

  /** Notes where it is really published. */
  noteServed(address: Address): void {
    this.#servedAt = address;
  }

  /** Tells what our own disk or network refused. */
  readonly failed = (error: unknown): void => this.#common.happenings.failed(error);

  /** See `FederationStatus`. */
  status(): FederationStatus {
    const { origin, treeSize } = this.log;
    const address = this.#servedAt ?? this.settings.http;
    return {
      ...{ origin, size: `${treeSize}` },
      ...(address !== undefined && { address: formatAddress(address) }),
      ...this.#told,
      ...(this.#isBehind && { isBehind: true }),
    };
  }

  /** Finishes writing and lets go of the journal. */
  async close(): Promise<void> {
    await this.log.close();
  }
}
