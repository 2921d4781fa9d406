import type { ExchangeLimits } from "../gossip/limits.ts";
import type { Log } from "../tlog/log.ts";
import type { Address } from "../world/world.ts";

/** What a daemon is told to do; `hearsay.jsonc`, read and checked. */
export interface Settings {
  /** The monitor's name, which its key must bear. */
  readonly name: string;
  /** Path of its private key. */
  readonly key: string;
  /** Folder of the observation journal. */
  readonly state: string;
  /** Folder of the incident journal. */
  readonly incidents: string;
  /** Where it answers exchanges; nowhere if left out. */
  readonly listen: Address | undefined;
  /** Where it tells its status over HTTP; nowhere if left out. */
  readonly http: Address | undefined;
  /** Whom a log's operator can write to; goes out with every request. */
  readonly contact: string;
  readonly logs: readonly LogSettings[];
  readonly peers: readonly PeerSettings[];
  readonly gossip: GossipSettings;
  readonly limits: ExchangeLimits;
}

/** One log to follow. */
export interface LogSettings {
  readonly log: Log;
  /** As `openSource` reads it: one, or several places where the log is served. */
  readonly source: string | readonly string[];
  /** How often it is polled, in milliseconds. */
  readonly pollMs: number;
  /** How long it may not grow, and a checkpoint that peers have not be shown to us. */
  readonly patienceMs: number;
}

/** One monitor to exchange with. */
export interface PeerSettings {
  readonly address: Address;
  /** The vkey it signs its conflict records with, if it is known. */
  readonly vkey: string | undefined;
}

/** How often and with how many peers to exchange. */
export interface GossipSettings {
  readonly intervalMs: number;
  /** Peers chosen at random in each round. */
  readonly fanOut: number;
}
