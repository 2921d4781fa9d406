/**
 * A session between two members, kept open: messages, and streams over which frames and parcels go
 * as they do over TCP.
 *
 *     const session = await callSession({ party, connection, expected, onStream });
 *     await session.send(KIND.hello, utf8(json));
 *     const stream = await session.open();
 *     for await (const { kind, body } of session.messages()) { … }
 *
 * What the other end sends takes no more memory than `SessionLimits` say. Where it goes beyond them,
 * the session ends, and `closed` says why.
 *
 * @module
 */
import { equals } from "@std/bytes/equals";
import type { Vkey } from "../tlog/vkey.ts";
import {
  type Address,
  type Clock,
  type Connection,
  type Random,
  type Timer,
  WorldError,
} from "../world/world.ts";
import { CELL_BYTES, type CellOpener } from "./cell.ts";
import type { Incoming } from "./incoming.ts";
import { Outgoing } from "./outgoing.ts";
import { SessionFault } from "./session_fault.ts";
import { type Agreed, type SessionParty, shakeHands, type Welcome } from "./session_handshake.ts";
import { limitsOfStrangers, SESSION_LIMITS, type SessionLimits } from "./session_limits.ts";
import {
  encodeMessage,
  KIND,
  kindName,
  MESSAGE_HEADER_BYTES,
  MessageDecoder,
  PING_BYTES,
  type SessionMessage,
} from "./session_message.ts";
import { Signal } from "./signal.ts";
import { Streams } from "./streams.ts";

export { SessionFault, type SessionFaultKind } from "./session_fault.ts";
export {
  isSession,
  newStaticKey,
  SESSION_FIRST_BYTE,
  type SessionParty,
} from "./session_handshake.ts";
export { SESSION_LIMITS, type SessionLimits } from "./session_limits.ts";
export { KIND, type SessionMessage } from "./session_message.ts";

/** What a cell carries that says nothing. */
const NO_MESSAGE = new Uint8Array(0);

/** What both ends of a session give. */
interface SessionStart {
  readonly party: SessionParty;
  /** It belongs to the session from now on, which closes it. */
  readonly connection: Connection;
  /**
   * Given each stream that the other end opens. It must close it. The first may come before whoever
   * waits for the session has it, so the session is given too.
   */
  readonly onStream: (stream: Connection, session: Session) => void;
  /** Told whenever a cell came. */
  readonly onHeard?: () => void;
}

/**
 * Begins a session as its caller.
 * @param start.expected whoever else answers is refused
 * @param start.isControl whether this calls the monitor with its own key, for its operator
 * @throws SessionFault if it does not come about; the connection is closed then
 */
export async function callSession(
  { expected, isControl = false, ...start }: SessionStart & {
    readonly expected: Vkey;
    readonly isControl?: boolean;
  },
): Promise<Session> {
  const { party, connection } = start;
  const agreed = await shakeHands({
    ...{ connection, party, begun: undefined, isCaller: true },
    run: (hand) => hand.call({ expected, isControl }),
  });
  return new Session({ ...start, agreed, isCaller: true });
}

/**
 * Begins a session as its callee.
 * @param start.begun what was read already, the first byte among it
 * @param start.admits asked once the caller is proven
 * @param start.speaksToStrangers whether a caller that is not admitted gets a session all the same,
 *   whose `isAdmitted` is false, so that it can be told why; otherwise it learns nothing
 * @param start.takesControl whether a caller with our own key is answered
 * @throws SessionFault if it does not come about; the connection is closed then
 */
export async function answerSession(
  { begun, admits, speaksToStrangers, takesControl = false, ...start }:
    & SessionStart
    & Omit<Welcome, "takesControl">
    & { readonly begun?: Uint8Array; readonly takesControl?: boolean },
): Promise<Session> {
  const { party, connection } = start;
  const agreed = await shakeHands({
    ...{ connection, party, begun, isCaller: false },
    run: (hand) => hand.answer({ admits, speaksToStrangers, takesControl }),
  });
  return new Session({ ...start, agreed, isCaller: false });
}

/** An open session. */
export class Session {
  /** Who is at the other end. */
  readonly member: Vkey;
  /** Whether this end has called. */
  readonly isCaller: boolean;
  /** Whether the callee admits the caller. The caller always takes it to. */
  readonly isAdmitted: boolean;
  /** Whether both ends have the same key, so that orders may be given. */
  readonly isControl: boolean;
  /** Resolves with the reason once the session has ended. */
  readonly closed: Promise<SessionFault>;
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #limits: SessionLimits;
  readonly #connection: Connection;
  readonly #incoming: Incoming;
  readonly #opener: CellOpener;
  readonly #decoder: MessageDecoder;
  readonly #outgoing: Outgoing;
  readonly #streams: Streams;
  readonly #onHeard: () => void;
  readonly #inbox: SessionMessage[] = [];
  readonly #inboxChanged = new Signal();
  #inboxBytes = 0;
  readonly #end = Promise.withResolvers<SessionFault>();
  #fault: SessionFault | undefined;
  #heardAt: number;
  /** While nobody takes what came, nothing is read, and silence is no fault of the other end. */
  #isWaitingForRoom = false;
  #ping: { readonly bytes: Uint8Array; readonly at: number } | undefined;
  #timer: Timer | undefined;
  #roundTripMs: number | undefined;

  /** See `callSession` and `answerSession`. */
  constructor(
    { party, connection, agreed, isCaller, onStream, onHeard = () => {} }: SessionStart & {
      readonly agreed: Agreed;
      readonly isCaller: boolean;
    },
  ) {
    const { clock, random } = party;
    const given = party.limits ?? SESSION_LIMITS;
    const limits = agreed.isAdmitted ? given : limitsOfStrangers(given);
    this.member = agreed.member;
    this.isCaller = isCaller;
    this.isAdmitted = agreed.isAdmitted;
    this.isControl = agreed.isControl;
    this.closed = this.#end.promise;
    this.#clock = clock;
    this.#random = random;
    this.#limits = limits;
    this.#connection = connection;
    this.#incoming = agreed.incoming;
    this.#opener = agreed.opener;
    this.#decoder = new MessageDecoder(limits);
    this.#onHeard = onHeard;
    const { sealer } = agreed;
    const onFault = (fault: SessionFault): void => this.#finishWith(fault);
    this.#outgoing = new Outgoing({ connection, clock, sealer, limits, onFault });
    const { remote } = connection;
    const link = this.#outgoing;
    this.#streams = new Streams({
      ...{ isCaller, remote, clock, limits, link },
      onStream: (stream) => onStream(stream, this),
    });
    this.#heardAt = clock.monotonic();
    if (agreed.first !== undefined) this.#outgoing.post(agreed.first);
    this.ping();
    this.#watch();
    this.#run(() => this.#outgoing.run());
    this.#run(() => this.#read(agreed.rest));
  }

  /** Where the other end is. */
  get remote(): Address {
    return this.#connection.remote;
  }

  /** How long the last ping took, there and back; nothing before the first was answered. */
  get roundTripMs(): number | undefined {
    return this.#roundTripMs;
  }

  /** For how many milliseconds nothing has come. */
  get silentForMs(): number {
    return this.#clock.monotonic() - this.#heardAt;
  }

  /** Why it has ended, if it has. */
  get fault(): SessionFault | undefined {
    return this.#fault;
  }

  /**
   * Sends a message. It waits while the other end does not read.
   * @throws WorldError if too much waits already, or the session has ended
   */
  async send(kind: number, body: Uint8Array): Promise<void> {
    const message = encodeMessage(kind, body);
    if (!this.#isRoomFor(message.length)) {
      throw new WorldError(
        "too large",
        `${this.#outgoing.queuedBytes} bytes wait for ${this.member.name} to read them`,
      );
    }
    await this.#outgoing.send(message);
  }

  /** Whether a message may be sent now: the other end has read enough of what came before. */
  hasRoomFor(body: Uint8Array): boolean {
    return this.#isRoomFor(MESSAGE_HEADER_BYTES + body.length);
  }

  #isRoomFor(bytes: number): boolean {
    return this.#outgoing.queuedBytes + bytes <= this.#limits.maxQueuedBytes;
  }

  /** What the other end says, besides streams and pings, until the session ends. For one reader. */
  async *messages(): AsyncGenerator<SessionMessage, void> {
    while (true) {
      const message = this.#inbox.shift();
      if (message !== undefined) {
        this.#inboxBytes -= message.body.length;
        this.#inboxChanged.change();
        yield message;
      } else if (this.#fault !== undefined) return;
      else await this.#inboxChanged.changed;
    }
  }

  /**
   * Opens a stream.
   * @throws WorldError if too many are open for too long, or the session has ended
   */
  open(): Promise<Connection> {
    return this.#streams.open();
  }

  /** Measures the round trip, unless that is under way. */
  ping(): void {
    if (this.#ping !== undefined || this.#fault !== undefined) return;
    const bytes = this.#random.bytes(PING_BYTES);
    this.#ping = { bytes, at: this.#clock.monotonic() };
    this.#outgoing.post(encodeMessage(KIND.ping, bytes));
  }

  /** Sends what waits, then ends it. Resolves once it has ended, which takes `lingerMs` at most. */
  async finish(): Promise<void> {
    this.#outgoing.finish();
    const timer = this.#clock.after(this.#limits.lingerMs, () => this.close());
    await this.closed;
    timer.cancel();
  }

  /** Ends it at once. */
  close(why = "the session was closed here"): void {
    this.#finishWith(new SessionFault("closed here", why));
  }

  /** A loop of the session: if it fails, the session ends. */
  #run(loop: () => Promise<void>): void {
    loop().catch((error) => {
      if (error instanceof SessionFault) return this.#finishWith(error);
      if (error instanceof WorldError) {
        return this.#finishWith(new SessionFault("broken", error.message));
      }
      // A fault of our own, in `onStream` for example. It is for whoever waits for the end to tell.
      this.#finishWith(new SessionFault("failed", `this end failed: ${error}`, { cause: error }));
    });
  }

  #finishWith(fault: SessionFault): void {
    if (this.#fault !== undefined) return;
    this.#fault = fault;
    this.#timer?.cancel();
    this.#connection.close();
    const isOurs = fault.kind === "closed here";
    const failure = new WorldError(isOurs ? "closed" : "other", fault.message);
    this.#outgoing.fail(failure);
    this.#streams.fail(failure);
    this.#inboxChanged.change();
    this.#end.resolve(fault);
  }

  async #read(rest: Uint8Array): Promise<void> {
    await this.#hear(this.#decoder.take(rest));
    while (this.#fault === undefined) {
      const cell = this.#incoming.ready(CELL_BYTES) ?? await this.#incoming.next(CELL_BYTES);
      if (cell === undefined) {
        throw new SessionFault("closed", "the other end closed the connection");
      }
      const said = this.#opener.open(cell);
      this.#heardAt = this.#clock.monotonic();
      this.#onHeard();
      const messages = this.#decoder.take(said);
      if (messages.length > 0) await this.#hear(messages);
    }
  }

  async #hear(messages: readonly SessionMessage[]): Promise<void> {
    for (const message of messages) {
      // A message before it may have ended the session.
      if (this.#fault !== undefined) return;
      const { kind, body } = message;
      if (this.#streams.receive(kind, body)) continue;
      if (kind === KIND.ping) this.#outgoing.post(encodeMessage(KIND.pong, body));
      else if (kind === KIND.pong) this.#hearPong(body);
      else await this.#keep(message);
    }
  }

  #hearPong(body: Uint8Array): void {
    // Its bytes were drawn, so nobody can answer before it came.
    if (this.#ping === undefined || !equals(this.#ping.bytes, body)) {
      throw new SessionFault("malformed", "a pong came that answers no ping");
    }
    this.#roundTripMs = this.#clock.monotonic() - this.#ping.at;
    this.#ping = undefined;
  }

  /** Keeps a message until somebody takes it. */
  async #keep(message: SessionMessage): Promise<void> {
    const isOrder = message.kind === KIND.control || message.kind === KIND.controlAnswer;
    if (isOrder && !this.isControl) {
      throw new SessionFault("malformed", `a message (${kindName(message.kind)}) from another key`);
    }
    const { maxHeldBytes, maxHeldMessages } = this.#limits;
    const hasRoom = (): boolean =>
      this.#inbox.length < maxHeldMessages &&
      this.#inboxBytes + message.body.length <= maxHeldBytes;
    this.#isWaitingForRoom = true;
    while (!hasRoom() && this.#fault === undefined) await this.#inboxChanged.changed;
    this.#isWaitingForRoom = false;
    this.#heardAt = this.#clock.monotonic();
    this.#inbox.push(message);
    this.#inboxBytes += message.body.length;
    this.#inboxChanged.change();
  }

  /** Shows that this end is there, though the other one may be slow to answer a ping. */
  #keepAlive(): void {
    if (this.#ping === undefined) this.ping();
    else this.#outgoing.post(NO_MESSAGE);
  }

  /** Looks after the silence of both ends, again and again. */
  #watch(): void {
    const { keepAliveMs, silenceMs } = this.#limits;
    const now = this.#clock.monotonic();
    if (this.#isWaitingForRoom) this.#heardAt = now;
    if (now - this.#heardAt >= silenceMs) {
      return this.#finishWith(new SessionFault("silent", `nothing came for ${silenceMs} ms`));
    }
    if (now - this.#outgoing.sentAt >= keepAliveMs) this.#keepAlive();
    const pingIn = this.#outgoing.sentAt + keepAliveMs - now;
    const silentIn = this.#heardAt + silenceMs - now;
    const next = Math.min(pingIn > 0 ? pingIn : keepAliveMs, silentIn);
    // Rounded up: a timer that comes a little early would begin a shorter one, again and again.
    this.#timer = this.#clock.after(Math.ceil(next), () => this.#watch());
  }
}
