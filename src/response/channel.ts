/**
 * What every channel of alerts is.
 *
 * @module
 */
import { type World, WorldError } from "../world/world.ts";
import type { Alert, AlertLevel } from "./alert.ts";

/** The longest wait for one channel to take one alert, in milliseconds. */
export const SEND_MS = 15_000;

/** The channel answered that it does not take this alert. Others may get through. */
export class AlertRefused extends Error {}

/** One way to an operator. */
export interface Channel {
  readonly name: string;
  /** `webhook`, `mail`, `command` or `syslog`, and where it leads, for a person. */
  readonly description: string;
  /**
   * Where it leads, exactly: sites that share a store and have a channel of this name that leads there
   * too tell a case through one of them. Never shown: it may be a secret.
   */
  readonly leadsTo: string;
  /** The least level that it is for. Ends and sums are sent if their case was. */
  readonly least: AlertLevel;
  /**
   * Sends an alert. It resolves when the other end has taken it.
   * @throws AlertRefused if the other end does not take this one; WorldError if nobody took it;
   *   MalformedError if a file that it needs cannot be used
   */
  send(alert: Alert): Promise<void>;
}

/** What channels need of the outside. */
export type ChannelWorld = Pick<
  World,
  "clock" | "files" | "http" | "network" | "mail" | "commands"
>;

/**
 * Reads a secret anew each time, so that it can be replaced. If the disk refuses for a while, the one
 * that was read last is used: news must not wait for a disk.
 */
export function rereading<T>(read: () => Promise<T>): () => Promise<T> {
  let last: { readonly secret: T } | undefined;
  return async () => {
    try {
      last = { secret: await read() };
    } catch (error) {
      // A file that is gone, or is not to be read any more, is somebody's decision.
      const isDecided = error instanceof WorldError &&
        ["not found", "not permitted"].includes(error.kind);
      if (last === undefined || isDecided || !(error instanceof WorldError)) throw error;
    }
    return last.secret;
  };
}
