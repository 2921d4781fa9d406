/**
 * What the swarm tells the monitor, and what it needs of it.
 *
 * @module
 */
import type { JsonObject } from "../evidence/json.ts";
import type { Connection } from "../world/world.ts";
import type { Obeyed } from "./control.ts";
import type { Hello, Refusal } from "./hello.ts";
import type { Spread, SpreadingHost } from "./spreading.ts";

/** What is needed of the monitor, besides what spreading needs. */
export interface SwarmHost extends
  Pick<
    SpreadingHost,
    "hearNote" | "hearUnverified" | "hearRecord" | "memberCase" | "recentCases"
  > {
  /** The hashes of the logs followed, in hex. */
  logs(): readonly string[];
  /** Serves a stream that a member opened, and closes it. It throws nothing. */
  serve(stream: Connection, member: string): Promise<void>;
  /** Tells what happened. */
  tell(happened: SwarmNews): void;
  /**
   * Reads the configuration again, as SIGHUP does. Without it this cannot be asked for.
   * @returns why it was refused, if it was
   */
  readonly reload?: (() => Promise<string | undefined>) | undefined;
  /** Does what the operator orders about an incident. Without it this cannot be asked for. */
  readonly incident?: ((order: JsonObject) => Promise<Obeyed>) | undefined;
  /**
   * Tries channels of alerts again: a trial has arrived through them. Without it there are none.
   * @returns those that were not tried any more
   */
  readonly channels?: ((names: readonly string[]) => readonly string[]) | undefined;
  /** Something failed that is nobody else's fault. */
  failed(error: unknown): void;
}

/** What happens between members. `member` is the name of its key. */
export type SwarmNews =
  | Spread
  /** there is a session with a member */
  | {
    readonly kind: "connected";
    readonly member: string;
    readonly hello: Hello;
    readonly isCaller: boolean;
  }
  /** it has ended */
  | {
    readonly kind: "ended";
    readonly member: string;
    readonly why: "left" | "banned" | "rotated" | "lost";
    readonly reason: string;
  }
  /** a call to a member came to nothing */
  | { readonly kind: "not reached"; readonly member: string; readonly reason: string }
  /** a member that was called did not want the session */
  | { readonly kind: "not wanted"; readonly member: string; readonly refusal: Refusal }
  /** somebody called, and got no session; without a name if it proved none */
  | { readonly kind: "turned away"; readonly caller: string; readonly reason: string };
