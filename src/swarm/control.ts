/**
 * What `hearsay peers` and a running daemon say to each other. The connection is a session whose two
 * ends have one key, so nobody else can ask.
 *
 * @module
 */
import { parseExactJson } from "../evidence/json.ts";
import { textOf } from "../tlog/encoding.ts";
import { checkMembers, oneOf, type Shape, text, wholeNumber } from "../tlog/members.ts";

/**
 * What can be asked: how it stands with members, the paths to them, a ban and its end, and that the
 * configuration is read again. The first two are answered with `SwarmStatus` and `Routes`, the others with
 * `Obeyed`.
 */
export const CONTROL_ACTIONS = ["peers", "routes", "ban", "unban", "reload"] as const;
/** What `hearsay peers` asks of a running daemon. */
export interface Control {
  readonly do: typeof CONTROL_ACTIONS[number];
  /** Whom it is about: a vkey. */
  readonly member?: string;
  readonly reason?: string;
  /** For how long, in milliseconds; without it, until it is lifted. */
  readonly forMs?: number;
}

/** What a daemon answers to an order, if it is not what was asked for. */
export type Obeyed =
  | {
    readonly done: true;
    /** Of `unban`: whether there was a ban. */
    readonly wasBanned?: boolean;
  }
  /** why not, in words that follow the daemon's name */
  | { readonly refused: string };

const CONTROL: Shape = {
  must: { do: oneOf(CONTROL_ACTIONS) },
  may: { member: text, reason: text, forMs: wholeNumber({ least: 1 }) },
  others: "refused",
};

/** Reads a control message. @throws MalformedError */
export function readControl(body: Uint8Array): Control {
  const value = parseExactJson(textOf(body));
  checkMembers(value, { what: "a control message", shape: CONTROL });
  return value as unknown as Control;
}
