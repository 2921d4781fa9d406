/**
 * What a running daemon and `hearsay peers`, `hearsay incidents` and `hearsay alert` say to each other.
 * The connection is a session whose two ends have one key, so nobody else can ask.
 *
 * @module
 */
import { type JsonObject, parseExactJson } from "../evidence/json.ts";
import { textOf } from "../tlog/encoding.ts";
import {
  checkMembers,
  listOf,
  object,
  oneOf,
  type Shape,
  text,
  wholeNumber,
} from "../tlog/members.ts";

/**
 * What can be asked: how it stands with members, the paths to them, a ban and its end, that the
 * configuration is read again, a step of an incident, and that channels of alerts are tried again. The
 * first two are answered with `SwarmStatus` and `Routes`, the others with `Obeyed`.
 */
export const CONTROL_ACTIONS = [
  ...["peers", "routes", "ban", "unban", "reload", "incident", "channels"] as const,
] as const;
/** What is asked of a running daemon. */
export interface Control {
  readonly do: typeof CONTROL_ACTIONS[number];
  /** Whom it is about: a vkey. */
  readonly member?: string;
  readonly reason?: string;
  /** For how long, in milliseconds; without it, until it is lifted. */
  readonly forMs?: number;
  /** Of `incident`: what is to be done. The monitor reads it. */
  readonly order?: JsonObject;
  /** Of `channels`: the names of those through which a trial has arrived. */
  readonly channels?: readonly string[];
}

/** What a daemon answers to an order, if it is not what was asked for. */
export type Obeyed =
  | {
    readonly done: true;
    /** Of `unban`: whether there was a ban. */
    readonly wasBanned?: boolean;
    /** Of `incident`: its name, and the state in which it is now. */
    readonly incident?: string;
    readonly state?: string;
    /** Of `incident`: whether it was so before, and nothing was written. */
    readonly isUnchanged?: boolean;
    /** Of `channels`: those that were not tried any more, and are again. */
    readonly channels?: readonly string[];
  }
  /** why not, in words that follow the daemon's name */
  | { readonly refused: string };

const anObject = object({ must: {}, others: "kept" });

const CONTROL: Shape = {
  must: { do: oneOf(CONTROL_ACTIONS) },
  may: {
    ...{ member: text, reason: text, forMs: wholeNumber({ least: 1 }), order: anObject },
    channels: listOf(text),
  },
  others: "refused",
};

/** Reads a control message. @throws MalformedError */
export function readControl(body: Uint8Array): Control {
  const value = parseExactJson(textOf(body));
  checkMembers(value, { what: "a control message", shape: CONTROL });
  return value as unknown as Control;
}
