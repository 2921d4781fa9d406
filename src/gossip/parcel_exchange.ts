/**
 * The exchange of parcels on sockets: reading one, answering one, sending one. hearing.ts judges
 * the items that come, and answering.ts makes the answer.
 *
 * @module
 */
import { MalformedError } from "../tlog/malformed.ts";
import { Ended } from "../world/calls.ts";
import { type Connection, WorldError } from "../world/world.ts";
import { answerParcel } from "./answering.ts";
import { type Callee, ExchangeFailed, nameOfCallee, reach } from "./caller.ts";
import { type ExchangeParty, orNotKept } from "./exchange.ts";
import { hearParcel } from "./hearing.ts";
import { costOfTrials, type Fault, type Hearing } from "./kind.ts";
import type { ParcelItem } from "./kinds.ts";
import { encodeParcel, itemCost, ParcelDecoder, UnknownParcelVersion } from "./parcel.ts";

/** Bytes read at a time. */
const CHUNK_BYTES = 64 * 1024;

/**
 * Takes so much, in frames, from the sender's allowance. It returns false if there is too little.
 */
type Pay = (frames: number) => boolean;

/** Takes a cost that cannot be refused any more: see StrangersShare.owe. */
type Owe = (frames: number) => void;

/**
 * Answers one parcel on a connection that began with a parcel's bit.
 * @param begun the bytes that were read already, at least one
 * @param pay called before any bytes that came are judged
 * @param owe called with what failed cosignatures cost, and with the checkpoints that were looked up for
 *   the answer, one frame each
 * @param onBytes called whenever something came
 * @returns the fault, if there was one; then nothing was answered
 * @throws NotKept; WorldError if the answer cannot be written
 */
export async function serveParcel({ party, connection, source, begun, pay, owe, onBytes }: {
  party: ExchangeParty;
  connection: Connection;
  source: string;
  begun: Uint8Array;
  pay: Pay;
  owe: Owe;
  onBytes: () => void;
}): Promise<Fault | undefined> {
  const { limits } = party;
  const read = await readParcel({ party, connection, begun, pay, onBytes });
  // Failures from here on are this side's own, because the evidence for the answer is read too.
  const { fault, answer, lookedUp } = await orNotKept(async () => {
    const hearing = await hearAndKeep({ party, source, items: read.items });
    owe(costOfTrials(hearing.trials));
    const fault = hearing.fault ?? read.fault;
    if (fault !== undefined) return { fault, answer: undefined, lookedUp: 0 };
    const items = await answerParcel(hearing, party);
    const lookedUp = items.filter(({ kind }) => kind === "note").length;
    return { answer: encodeParcel(items), lookedUp };
  });
  if (answer === undefined) return fault;
  const isPaid = pay(answer.length / limits.parcelBytesPerFrame);
  owe(lookedUp);
  if (!isPaid) return tooMuch(party);
  await connection.write(answer);
  return undefined;
}

/**
 * Sends a parcel to a peer and judges the answer.
 * @returns what the answer says
 * @throws ExchangeFailed if the peer could not be reached, did not answer in time, or answered
 *   something that does not hold; all items before that have been judged and kept
 * @throws Ended if this end stops meanwhile; whatever `keep` throws
 */
export async function callWithParcel(
  { party, callee, items }: {
    party: ExchangeParty;
    callee: Callee;
    items: readonly ParcelItem[];
  },
): Promise<Hearing> {
  const peer = nameOfCallee(callee);
  const read = await converse({ party, callee, parcel: encodeParcel(items) });
  const hearing = await hearAndKeep({ party, source: peer, items: read.items });
  const fault = hearing.fault ?? read.fault;
  if (fault !== undefined) {
    if (hearing.fault === undefined && party.calls.isEnded) throw new Ended();
    throw new ExchangeFailed(peer, `failed in a parcel: ${fault.reason}`);
  }
  return hearing;
}

/** Sends a parcel and reads the answer, within the time for both. */
async function converse(
  { party, callee, parcel }: { party: ExchangeParty; callee: Callee; parcel: Uint8Array },
): Promise<ParcelRead> {
  const { world: { clock }, limits, calls } = party;
  const connection = await reach({ party, callee });
  let late = false;
  const timer = clock.after(limits.parcelMs, () => {
    late = true;
    connection.close();
  });
  let read: ParcelRead = { items: [] };
  try {
    await connection.write(parcel);
    await connection.closeWrite();
    read = await readParcel({ party, connection });
  } catch (error) {
    if (!(error instanceof WorldError)) throw error;
    read = { items: [], fault: brokenOff(error.message) };
  } finally {
    timer.cancel();
    calls.close(connection);
  }
  if (!late || read.fault === undefined) return read;
  return { ...read, fault: brokenOff(`it was not finished within ${limits.parcelMs} ms`) };
}

/** The items of a parcel that came, and the fault in the rest of it, if any. */
interface ParcelRead {
  readonly items: readonly ParcelItem[];
  readonly fault?: Fault;
}

/**
 * Reads to the end of a parcel, or until it breaks off. Half of a parcel may be half of the
 * evidence.
 */
async function readParcel({ party, connection, begun, pay = () => true, onBytes }: {
  party: ExchangeParty;
  connection: Connection;
  begun?: Uint8Array;
  pay?: Pay;
  onBytes?: () => void;
}): Promise<ParcelRead> {
  const { limits } = party;
  const decoder = new ParcelDecoder(limits);
  const buffer = new Uint8Array(CHUNK_BYTES);
  const items: ParcelItem[] = [];
  try {
    let chunk = begun ?? await next(connection, buffer);
    for (; chunk !== undefined; chunk = await next(connection, buffer)) {
      onBytes?.();
      if (!pay(chunk.length / limits.parcelBytesPerFrame)) return { items, fault: tooMuch(party) };
      for (const item of decoder.take(chunk)) {
        if (!pay(itemCost(limits, item))) return { items, fault: tooMuch(party) };
        items.push(item);
      }
    }
    decoder.end();
    return { items };
  } catch (error) {
    if (error instanceof MalformedError) {
      return { items, fault: { reason: error.message, charged: true } };
    }
    if (error instanceof WorldError || error instanceof UnknownParcelVersion) {
      return { items, fault: brokenOff(error.message) };
    }
    throw error;
  }
}

async function next(connection: Connection, buffer: Uint8Array): Promise<Uint8Array | undefined> {
  const count = await connection.read(buffer);
  return count === undefined ? undefined : buffer.subarray(0, count);
}

/** Judges the items that came. Their conflicts are durable before anybody is told. */
async function hearAndKeep(
  { party, source, items }: {
    party: ExchangeParty;
    source: string;
    items: readonly ParcelItem[];
  },
): Promise<Hearing> {
  const hearing = hearParcel({ items, source, party });
  await party.keep(source);
  for (const heard of hearing.heard) party.report.heard(heard, source);
  return hearing;
}

function brokenOff(reason: string): Fault {
  return { reason, charged: false };
}

function tooMuch({ limits }: ExchangeParty): Fault {
  return brokenOff(
    `more came than an address may send: the worth of ${limits.framesPerSecondPerAddress} frames ` +
      "a second, and less while many strangers send parcels",
  );
}
