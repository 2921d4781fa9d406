/** A size and a root of one log, as they are compared. */
export interface Head {
  readonly treeSize: bigint;
  /** Base64 of 32 bytes. */
  readonly root: string;
}

/** A head as one text, to look it up by; it does not say of which log. */
export function headKey({ treeSize, root }: Head): string {
  return `${treeSize} ${root}`;
}
