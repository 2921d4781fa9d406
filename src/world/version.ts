/** This program's version, as people, peers and logs are told it. */
export const VERSION = "0.1.0";

/** This program and its version, as peers and logs are told it. */
export const SOFTWARE = `hearsay/${VERSION}`;
