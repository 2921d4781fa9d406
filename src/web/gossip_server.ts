/**
 * Compares checkpoints over HTTP with anybody who asks (PROTOCOL section 15). It speaks what the
 * gossip endpoint of sourcespotter speaks.
 *
 * @module
 */
import { answer } from "./answers.ts";
import type { HttpGossip, NoteAnswer } from "../monitor/http_gossip.ts";
import type { Verdict } from "../monitor/verdicts.ts";
import { formatRecord } from "../evidence/record.ts";
import type { Log } from "../tlog/log.ts";
import { utf8 } from "../tlog/encoding.ts";
import { printable, printableJson } from "../tlog/malformed.ts";
import type { HttpAnswer, HttpQuery } from "../world/world.ts";

/** What the paths of this endpoint begin with. */
export const GOSSIP_PATH = "/gossip/";
/** Most bytes of a posted note. sourcespotter takes as many. */
export const MAX_POSTED_BYTES = 100_000;
/** When to ask again if an address has used its allowance. It is full again after two seconds. */
const ALLOWANCE_RETRY_S = 2;
/** When to ask again if this monitor could not keep or read something, or has seen nothing yet. */
const RETRY_S = 60;

/** What a path asks for: a log's name, and the case whose record is wanted, if one is. */
const TARGET = /^(.+?)(?:\/records\/([0-9a-f]{1,128}))?$/;

const TEXT = "text/plain; charset=utf-8";

/**
 * Answers a request for a path below GOSSIP_PATH. The Host header is not looked at, unlike for the
 * status: whatever is given here is public, and whatever is told here anybody may tell. So a web
 * page that lets its own name point to this port (DNS rebinding) gains nothing.
 */
export async function answerGossip(query: HttpQuery, gossip: HttpGossip): Promise<HttpAnswer> {
  const { name, evidenceId } = targetOf(query.path) ?? {};
  const logs = name === undefined ? [] : gossip.logsNamed(name);
  if (logs.length === 0) return sentence(404, "no log of this name is followed here");
  const isRead = query.method === "GET" || query.method === "HEAD";
  const isPost = query.method === "POST" && evidenceId === undefined;
  if (!isRead && !isPost) {
    const allow = evidenceId === undefined ? "GET, HEAD, POST" : "GET, HEAD";
    return { status: 405, headers: { allow } };
  }
  // Before content is read, as a port does not even accept such an address.
  if (!gossip.isOpen(query.caller.hostname)) return TOO_MUCH;
  if (isPost) return await answerNote(query, logs, gossip);
  if (evidenceId !== undefined) return await answerRecord(query, { logs, evidenceId }, gossip);
  return answerLatest(query, logs, gossip);
}

function targetOf(path: string): { name: string; evidenceId: string | undefined } | undefined {
  const [, encoded, evidenceId] = TARGET.exec(path.slice(GOSSIP_PATH.length)) ?? [];
  if (encoded === undefined) return undefined;
  try {
    return { name: decodeURIComponent(encoded), evidenceId };
  } catch {
    return undefined;
  }
}

function answerLatest({ caller }: HttpQuery, logs: readonly Log[], gossip: HttpGossip): HttpAnswer {
  if (!gossip.pay(caller.hostname)) return TOO_MUCH;
  const latest = gossip.latest(logs);
  if (latest === undefined) {
    return sentence(503, "no checkpoint of this log has been verified here yet", RETRY_S);
  }
  const body = utf8(latest.note);
  return gossip.payBytes(caller.hostname, body.length) ? answer(200, TEXT, body) : TOO_MUCH;
}

async function answerRecord(
  { caller }: HttpQuery,
  wanted: { logs: readonly Log[]; evidenceId: string },
  gossip: HttpGossip,
): Promise<HttpAnswer> {
  if (!gossip.pay(caller.hostname)) return TOO_MUCH;
  const record = await gossip.record(wanted);
  if (record === "not kept") return UNABLE;
  if (record === undefined) return sentence(404, "no case of this name is recorded here");
  const body = utf8(`${printableJson(formatRecord(record))}\n`);
  // It has been read already. So whoever cannot pay for it owes it.
  return gossip.payBytes(caller.hostname, body.length)
    ? answer(200, "application/json", body)
    : TOO_MUCH;
}

async function answerNote(
  { caller, content }: HttpQuery,
  logs: readonly Log[],
  gossip: HttpGossip,
): Promise<HttpAnswer> {
  const note = await content(MAX_POSTED_BYTES);
  return told(await gossip.hear({ note, logs, source: caller.hostname }));
}

function told(said: NoteAnswer): HttpAnswer {
  if (said === "too much") return TOO_MUCH;
  if (said === "not kept") return UNABLE;
  if ("refused" in said) {
    const how = "expected a signed note as the log gives it (curl --data-binary @FILE)";
    return sentence(400, `${printable(said.refused)}; ${how}`);
  }
  if (said.word === "left out") {
    return sentence(503, "there is no room for it until others are compared", RETRY_S);
  }
  return sentence(200, `${said.word}: ${explain(said)}`);
}

/** The sentence after the word. */
function explain(verdict: Exclude<Verdict, { readonly word: "left out" }>): string {
  switch (verdict.word) {
    case "inconsistent":
      return `the log has signed another checkpoint that contradicts this one. The proof is ` +
        `recorded here as case ${verdict.evidenceId}. Its record is at this URL with ` +
        `/records/${verdict.evidenceId} behind it; 'hearsay verify FILE --log VKEY' checks it offline`;
    case "consistent":
      return "it is part of the history that the log has shown to this monitor" +
        (verdict.otherCase === undefined ? "" : `. BUT the log has signed other checkpoints that ` +
          `contradict each other: case ${verdict.otherCase}, whose record is at this URL with ` +
          `/records/${verdict.otherCase} behind it`);
    case "pending": {
      if (verdict.isFrozen === true) {
        return "this monitor has frozen the log, and vouches for nothing of it that is as new as this" +
          (verdict.otherCase === undefined
            ? ""
            : `. The log has signed checkpoints that contradict ` +
              `each other: case ${verdict.otherCase}, whose record is at this URL with ` +
              `/records/${verdict.otherCase} behind it`);
      }
      const { viewSize, treeSize } = verdict;
      if (viewSize === undefined || viewSize < treeSize) {
        return "it is kept, and is compared when the log has shown this monitor a checkpoint that " +
          `reaches size ${treeSize}` +
          (viewSize === undefined ? "" : `; the latest so far has size ${viewSize}`);
      }
      return "it is kept, and is not compared yet; ask again later";
    }
  }
}

function sentence(status: number, text: string, retryAfterS?: number): HttpAnswer {
  return answer(status, TEXT, utf8(`${text}\n`), retryAfterS);
}

const TOO_MUCH = sentence(
  429,
  "more came than an address may send, or strangers together",
  ALLOWANCE_RETRY_S,
);
const UNABLE = sentence(503, "this monitor cannot keep or read anything now", RETRY_S);
