/** A public log that `hearsay init` offers. Its key should be compared with what its operator says. */
export interface KnownLog {
  readonly title: string;
  readonly about: string;
  /** The log, in the notation of `--log`. */
  readonly log: string;
  /** Its source, in the notation of `openSource`. */
  readonly source: string;
}

/** The logs that `hearsay init` offers. */
export const KNOWN_LOGS: readonly KnownLog[] = [
  {
    title: "sum.golang.org",
    about: "Go's checksum database",
    log:
      "sum.golang.org+033de0ae+Ac4zctda0e5eza+HJyk9SxEdh+s3Ux18htTTAD8OuAn8 go.sum database tree",
    source: "sumdb+https://sum.golang.org",
  },
  {
    title: "log2025-1.rekor.sigstore.dev",
    about: "Sigstore's Rekor v2",
    log: "log2025-1.rekor.sigstore.dev+cf119915+AbfK5adZJxsI323FwGD2AJJ9F4i89cfDuLdGJBIYntuO",
    source: "https://log2025-1.rekor.sigstore.dev/api/v2",
  },
  {
    title: "seasalp.glasklar.is",
    about: "Sigsum, Glasklar Teknik",
    log:
      "sigsum.org/v1/tree/44ad38f8226ff9bd27629a41e55df727308d0a1cd8a2c31d3170048ac1dd22a1+682b49db+AQ7H4WhDEZsSA3enOROsasvC0D2CQy4sNrhBsJqVhB8l",
    source: "sigsum+https://seasalp.glasklar.is",
  },
  {
    title: "ginkgo.tlog.mullvad.net",
    about: "Sigsum, Mullvad",
    log:
      "sigsum.org/v1/tree/c03f05182be9341e33b9edd5f3f8675b08332164640203e743f4285359cace47+e8a1c774+AfAMFZZj0Ju9phMe4YFoY7atys/oCwsogACxGrqP44MU",
    source: "sigsum+https://ginkgo.tlog.mullvad.net",
  },
];
