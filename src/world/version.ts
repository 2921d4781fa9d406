/** This program's version, as people, peers and logs are told it. */
export const VERSION = "0.1.0";
