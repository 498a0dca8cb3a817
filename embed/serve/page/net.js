// Questions to the server. The token came after the # of the address, which is sent to nobody, and stays in this tab.
const KEPT = "embed-token";

let token = sessionStorage.getItem(KEPT) || "";
let pictureKey = "";

/** Take the token out of the address, where it is. */
export function takeToken() {
  const found = /^#token=([^&]+)/.exec(location.hash);
  if (!found) return;
  token = decodeURIComponent(found[1]);
  sessionStorage.setItem(KEPT, token);
  history.replaceState(null, "", "#/home");
}

export class Refused extends Error {
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

/** Ask the server: a document, a form, or nothing is sent. */
export async function ask(path, { method = "GET", send, form, signal } = {}) {
  const headers = { Authorization: `Bearer ${token}` };
  let body;
  if (form) body = form;
  else if (send !== undefined) {
    headers["Content-Type"] = "application/json";
    body = JSON.stringify(send);
  }
  let response;
  try {
    response = await fetch(path, { method, headers, body, signal });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Refused(0, "The server does not answer. Is embed serve still running?");
  }
  if (!response.ok) {
    const said = await response.json().catch(() => ({}));
    throw new Refused(response.status, said.error || `The server answered ${response.status}.`);
  }
  return (response.headers.get("content-type") || "").startsWith("application/json") ? response.json() : response.blob();
}

export const post = (path, send = {}) => ask(path, { method: "POST", send });

/** The status of the server, which also says what opens pictures. */
export async function status() {
  const found = await ask("/api/status");
  pictureKey = found.picture_key;
  return found;
}

/** A path in an address: every byte that a file name may have. */
export function inAddress(path) {
  let address = "";
  for (const sign of path) {
    const code = sign.codePointAt(0);
    if (sign === "/") address += "/";
    else if (code >= 0xdc80 && code <= 0xdcff) address += "%" + (code - 0xdc00).toString(16).toUpperCase();
    else if (code >= 0xd800 && code <= 0xdfff) address += "%3F";
    else address += encodeURIComponent(sign);
  }
  return address;
}

export function pictureOf(photo, size = "small") {
  const batch = photo.batch ? `&batch=${encodeURIComponent(photo.batch)}` : ""; // of one in the bin
  return `/api/pictures/${inAddress(photo.path)}?size=${size}&version=${photo.version}${batch}&key=${pictureKey}`;
}

export const query = (values) => new URLSearchParams(
  Object.entries(values).filter(([, value]) => value !== "" && value !== undefined && value !== null)).toString();

export const address = () => `${location.origin}`;
export const secret = () => token;
