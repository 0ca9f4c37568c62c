/**
 * Which names the server answers to. A page of any site can make its own name lead to 127.0.0.1 (DNS rebinding) and would then be of the same
 * origin as a server of this machine; but the browser still sends that name as Host, so a server that only this machine reaches answers to
 * the names that it was given and to those of the machine itself.
 */
import { BlockList, isIP } from "node:net";
import { LecternError } from "../errors.js";
import { HttpError } from "./http-error.js";

const loopback = new BlockList();
loopback.addSubnet("127.0.0.0", 8, "ipv4");
loopback.addAddress("::1", "ipv6");

/** Whether only this machine reaches the host. */
export function isLoopback(host: string): boolean {
  const address = host.replace(/^\[|\]$/g, "");
  const version = isIP(address);
  return version === 0 ? host.toLowerCase() === "localhost" : loopback.check(address, version === 4 ? "ipv4" : "ipv6");
}

/** The names of this machine. */
const ownNames = ["localhost", "127.0.0.1", "[::1]"];

/**
 * A check of Host headers.
 * @param host where the server listens; one that other machines reach answers to any name unless some are allowed by name
 * @param allowed names beside the machine's own, without or with a port
 * @throws LecternError SERVE_ALLOWED for a name that is none
 * @returns a function that throws HttpError HOST_NOT_SERVED
 */
export function hostCheck(host: string, allowed: readonly string[]): (header: string | undefined) => void {
  const names = new Set(ownNames);
  for (const name of allowed) names.add(hostName(name) ?? notAHost(name));
  if (!isLoopback(host) && allowed.length === 0) return () => {};
  names.add(hostName(isIP(host) === 6 ? `[${host}]` : host) ?? host);
  return (header) => {
    if (header === undefined) return; // HTTP/1.0, which no browser speaks
    const name = hostName(header);
    if (name === undefined || !names.has(name)) throw new HttpError("HOST_NOT_SERVED", "This server does not answer to the name in Host: --allow-host adds one.");
  };
}

/** The name in `name:port` as a URL spells it; undefined where it is none. */
function hostName(text: string): string | undefined {
  if (!/^[^\s/\\?#@]+$/.test(text) || !URL.canParse(`http://${text}`)) return undefined;
  return new URL(`http://${text}`).hostname.replace(/\.$/, "");
}

function notAHost(name: string): never {
  throw new LecternError("SERVE_ALLOWED", {
    message: "A host that the server should answer to is none.",
    expected: "a name or an address, such as qa.example.org",
    received: JSON.stringify(name),
    next: "Name it without http:// and without a path: --allow-host qa.example.org.",
  });
}
