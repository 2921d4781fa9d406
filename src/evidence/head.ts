/** A size and a root of one log, in the form in which they are compared. */
export interface Head {
  readonly treeSize: bigint;
  /** Base64 of 32 bytes. */
  readonly root: string;
}

/** A head as one text, for use as a key. It does not contain the log. */
export function headKey({ treeSize, root }: Head): string {
  return `${treeSize} ${root}`;
}
