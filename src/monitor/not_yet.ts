import type { Status } from "./status.ts";

/** Whether anything was compared with anybody since the start. */
export function hasCompared({ peers, isUncompared }: Status): boolean {
  if (peers.length === 0) return isUncompared !== true;
  return peers.some(({ exchanges, failures }) => exchanges > failures);
}

/**
 * What a daemon has not done yet since its start, one clause each; nothing once all of it was done.
 * Until then nobody knows whether all is well, so nobody may say it. None of it is a trouble yet.
 */
export function notYet(status: Status): string[] {
  const { logs, witness } = status;
  const unseen = logs.filter(({ lastResult }) => lastResult === undefined).length;
  // Of logs that only push, nothing is seen before the first has pushed.
  const isUnpushed = logs.length === 0 && witness !== undefined && witness.cosigned === 0;
  return [
    ...(unseen > 0 && unseen === logs.length ? ["nothing was looked at yet"] : []),
    ...(unseen > 0 && unseen < logs.length
      ? [`${unseen} of ${logs.length} logs were not looked at yet`]
      : []),
    ...(isUnpushed ? ["no log has pushed anything yet"] : []),
    ...(hasCompared(status) ? [] : ["nothing was compared yet"]),
  ];
}
