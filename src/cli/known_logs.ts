import { describeLog, formatLog, type Log, parseLogs } from "../tlog/log.ts";

/** A public log whose key is known. The key should be compared with what the log's operator says. */
export interface KnownLog {
  readonly title: string;
  readonly about: string;
  /** The log, in the notation of `--log`. */
  readonly log: string;
  /** Its source, in the notation of `openSource`, if it can be followed: `hearsay init` offers it. */
  readonly source?: string;
}

/** Rekor v1 signs with one key for each of its trees, of which the next begins when one is full. */
const REKOR_V1 =
  "rekor.sigstore.dev+c0d23d6a+AjBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABNhtmPtrWm3U1eQXBogSMdGvXwBcK5AW5i0hrZLOC96l+smGNM7nwZ4QvFK/4sueRoVj//QP22Ni4Qt9DPfkWLc=";
const REKOR_V1_STAGING =
  "rekor.sigstage.dev+d32f30a3+AjBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABAzg0VOvPFGBrsueJjVJWhAYkHUxPZ2C69JYOkV6MCP0Ff0RNWswZ+BIOf9rkzjG4Qdf4H3B84o8xYvU5PoNT64=";

function rekorTree(key: string, tree: string): string {
  return `${key} ${key.split("+")[0]} - ${tree}`;
}

/** The logs whose keys are known. */
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
  // Sigstore's Rekor v1, a log a tree. The first is the one that grows.
  {
    title: "rekor.sigstore.dev 1193050959916656506",
    about: "Sigstore's Rekor v1, its latest tree",
    log: rekorTree(REKOR_V1, "1193050959916656506"),
    source: "rekor-v1+https://rekor.sigstore.dev",
  },
  ...["3904496407287907110", "2605736670972794746"].map((tree) => ({
    title: `rekor.sigstore.dev ${tree}`,
    about: "Sigstore's Rekor v1, a retired tree",
    log: rekorTree(REKOR_V1, tree),
  })),
  ...["8050909264565447525", "8202293616175992157"].map((tree) => ({
    title: `rekor.sigstage.dev ${tree}`,
    about: "Sigstore's Rekor v1, staging",
    log: rekorTree(REKOR_V1_STAGING, tree),
  })),
  ...[
    "log2025-alpha1.rekor.sigstage.dev+f30d5a99+AT5/gERB6AWme8IEtcwaqcZi0hp8ocV4+JRcUnVlQfKP",
    "log2025-alpha2.rekor.sigstage.dev+29f4a249+AZKwPDrthbTe5GFwj/5abxfL0K74eJ4/vdfj1jhhs3xn",
    "log2025-alpha3.rekor.sigstage.dev+d3d3a70c+AZQ93VXPMmj9uZj7U/7CefQ9yy8RgYFv6mKzOseipjqp",
  ].map((log) => ({ title: log.split("+")[0]!, about: "Sigstore's Rekor v2, staging", log })),
  {
    title: "test.sigsum.org/barreleye",
    about: "Sigsum, Glasklar Teknik, for tests",
    log:
      "sigsum.org/v1/tree/4e89cc51651f0d95f3c6127c15e1a42e3ddf7046c5b17b752689c402e773bb4d+778629b1+AUZEryq9QPSJWgA7yjUPnVkSqzAaScd/E+W22QXCCl/m",
  },
  {
    title: "serviceberry.tlog.stagemole.eu",
    about: "Sigsum, Mullvad, for tests",
    log:
      "sigsum.org/v1/tree/1643169b32bef33a3f54f8a353b87c475d19b6223cbb106390d10a29978e1cba+57f71a6a+AUfkgWBtisunR6awU9bC0ZFgX7EiF11BChICqRQwq845",
  },
  {
    title: "lvfs",
    about: "Linux Vendor Firmware Service",
    log: "lvfs+7908d142+ASnlGgOh+634tcE/2Lp3wV7k/cLoU6ncawmb/BLC1oMU",
  },
  {
    title: "keyserver.geomys.org",
    about: "keys of age, Geomys",
    log: "keyserver.geomys.org+16b31509+ARLJ+pmTj78HzTeBj04V+LVfB+GFAQyrg54CRIju7Nn8",
  },
  {
    title: "vindex.gopherwatch.org",
    about: "an index of Go's checksum database",
    log: "vindex.gopherwatch.org+af4f4f3a+AYlEp21ErzmKZa+aqhjC8BQteyEtsVwmLzblkzHxn8et",
  },
  {
    title: "tlog.andxor.it",
    about: "Andxor",
    log: "tlog.andxor.it+d5e6b3d0+AU6uJ3h8tb+RRMdGjHV4KCrrHoKfIYGbhL2A46thEhKQ",
  },
  {
    title: "Armory Drive",
    about: "firmware of the USB armory",
    log:
      "armory-drive-log+16541b8f+AYDPmG5pQp4Bgu0a1mr5uDZ196+t8lIVIfWQSPWmP+Jv Armory Drive Prod 2",
  },
  {
    title: "Armored Witness",
    about: "firmware of the Armored Witness",
    log:
      "transparency.dev-aw-ftlog-prod-1+3e6d87ee+Aa3qdhefd2cc/98jV3blslJT2L+iFR8WKHeGcgFmyjnt transparency.dev/armored-witness/firmware_transparency/prod/1",
  },
  {
    title: "Pixel",
    about: "images of Pixel phones",
    log:
      "pixel_transparency_log+72c878db+AjBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABFPN7lzVIk2BOd3Nk33VpqqVttGwV8uChH+RX/HVfBiypVQFyh8o8Ny6fSdxNMgkSf9/VynrgADBeys0r4Q9uPA= developers.google.com/android/binary_transparency/0",
  },
  {
    title: "Google 1P",
    about: "Google's programs on Android",
    log:
      "developers.google.com/android/binary_transparency/google1p/0+aacba1b3+AjBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABKh9xi5WKD+WxbAh/Ax8uTbaYyW0UMN3yTUgE0pqPDpV1DKdKHtdqkcBx7XT+5PVx5SbAmKfI49HUGmPjfX7Xy8=",
  },
  // Certificate Transparency: the Ed25519 keys with which TesseraCT logs sign beside their 0x05 keys.
  ...[
    "parcelyard2026h2.prod.certificate.transparency.goog+f4630bfe+AWouhTkWdiXEtTKSFnEEhHDPEbXcbqlU9jBHy0WRUmuu",
    "parcelyard2027h1.prod.certificate.transparency.goog+4e1a7d41+AWEIHJCHYZujgUTOSAGS2v4kV1k8VbFJ2J81M7TS9rEB",
    "parcelyard2027h2.prod.certificate.transparency.goog+9cf6be9f+Ae7FBxZ9jT49G7JOWEbVokl2DYCFmrupN+NyZX/0rhHS",
    "plumbersarms2026h2.prod.certificate.transparency.goog+6c1aa0ce+ASYjyZkW6msIfpIZ3qK7n07ShttUNpbw4EbaKCtHwIS2",
    "plumbersarms2027h1.prod.certificate.transparency.goog+ecc62866+AYye1MubK7uroero+2RwN6M+I0KQ4f3fRRtF3Qo6ZlsI",
    "plumbersarms2027h2.prod.certificate.transparency.goog+dcbf16c3+AVTRjsgf05nepf0R0D7B8i03lNChQFwmZW6toYsSmrxr",
  ].map((log) => ({ title: log.split(".")[0]!, about: "Certificate Transparency, Google", log })),
  {
    title: "ct.googleapis.com/logs/us1/argon2024",
    about: "Certificate Transparency, Google",
    log:
      "ct.googleapis.com/logs/us1/argon2024+7deb49d0+BTBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABB25bKnLaZTFXOa2pgO70rjcVEMXKJkMBgFQHZ1kwFlGK9zIAx0FtC2oCfeZQe0E++VXuiYE9hFSzhRlOy92K8A=",
  },
  {
    title: "rome.ct.filippo.io/2024h1",
    about: "Certificate Transparency, Sunlight",
    log:
      "rome.ct.filippo.io/2024h1+78f4abae+BTBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABAFzPC3fap+uINc1RQ4eRbYMUt84+bKkA8GDLN8KwVdzAgYhYSv4kS8XSheGLAHCWhIJTJbuC3sL88bNMTtrsBM=",
  },
];

/** The known logs that `hearsay init` offers. */
export const OFFERED_LOGS = KNOWN_LOGS.filter(
  (log): log is KnownLog & { readonly source: string } => log.source !== undefined,
);

/** All known logs, loaded. */
export function knownLogs(): Log[] {
  return parseLogs(KNOWN_LOGS.map(({ log }) => log));
}

/**
 * What a person is told about logs that they named by a known key and another origin. Go documents
 * the key of its checksum database without the origin, which is not the key's name.
 */
export function otherOriginNotices(logs: readonly Log[]): string[] {
  const known = knownLogs();
  return logs.filter(({ id }) => !known.some((one) => one.id === id)).flatMap((log) => {
    const underKey = known.filter(({ vkey }) => vkey.text === log.vkey.text);
    if (underKey.length === 0) return [];
    const meant = underKey.map((one) => `--log "${formatLog(one)}"`).join(" or ");
    return [
      `no log is known that has this key and this origin: ${describeLog(log)}; known is ${meant}`,
    ];
  });
}
