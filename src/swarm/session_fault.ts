/**
 * Why a session did not come about, or ended. Each kind has a counter of its own, so each is one
 * thing that an operator may want to know.
 *
 * @module
 */
import { printable } from "../tlog/malformed.ts";

/** The kinds of reasons. */
export type SessionFaultKind =
  /** This end wanted it. */
  | "closed here"
  /** This end failed by a fault of its own, which is the error's cause. */
  | "failed"
  /** The other end closed the connection between two messages. */
  | "closed"
  /** The connection broke. */
  | "broken"
  /** The handshake was not finished in time. */
  | "late"
  /** Nothing came for too long, not even an answer to a ping. */
  | "silent"
  /** The other end does not read what is sent to it. */
  | "unread"
  /** It is no session. */
  | "no session"
  /** It is a session of a version that is not spoken here. */
  | "version"
  /**
   * What came was not sealed by the other end as the next message: it was changed, cut, repeated or
   * out of order on the way, or was never meant for this session.
   */
  | "changed"
  /** The other end does not prove who it is. */
  | "unproven"
  /** The other end is proven to be somebody, and not who was called. */
  | "another"
  /** The caller is proven to be somebody who is not admitted. */
  | "unknown"
  /** The other end has our own key. */
  | "own key"
  /** The other end breaks the rules of what may be said. */
  | "malformed";

/** Why a session did not come about, or ended. The message is for a person. */
export class SessionFault extends Error {
  constructor(readonly kind: SessionFaultKind, message: string, options?: ErrorOptions) {
    // Some of it is the other end's own text, such as its name.
    super(printable(message), options);
  }
}
