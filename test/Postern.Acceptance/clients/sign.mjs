// Signs a body as the provider's own library does, and prints the headers:
//   node sign.mjs PROVIDER SECRET TIMESTAMP BODY [ID]
import { createHmac, generateKeyPairSync, sign as signBytes } from "node:crypto";
import { sign } from "@octokit/webhooks-methods";
import { Webhook as Standard } from "standardwebhooks";
import { Webhook as Svix } from "svix";
import Stripe from "stripe";
import { verifyKey } from "discord-interactions";

const [provider, secret, timestamp, body, given] = process.argv.slice(2);
const seconds = Number(timestamp);
const id = given ?? "msg_" + seconds;
const hmac = (hash, key, text, encoding) => createHmac(hash, key).update(text).digest(encoding);
const at = new Date(seconds * 1000);
const headers = {
  standard: () => ({
    "webhook-id": id,
    "webhook-timestamp": timestamp,
    "webhook-signature": new Standard(secret).sign(id, at, body),
  }),
  svix: () => ({
    "svix-id": id,
    "svix-timestamp": timestamp,
    "svix-signature": new Svix(secret).sign(id, at, body),
  }),
  stripe: () => ({
    "Stripe-Signature": Stripe.webhooks.generateTestHeaderString({ payload: body, secret, timestamp: seconds }),
  }),
  github: async () => ({ "X-Hub-Signature-256": await sign(secret, body) }),
  // Slack ships no signer: this is the rule of its documentation.
  slack: () => ({
    "X-Slack-Request-Timestamp": timestamp,
    "X-Slack-Signature": "v0=" + hmac("sha256", secret, `v0:${timestamp}:${body}`, "hex"),
  }),
  // These ship no signer either: the rules of their documentation.
  shopify: () => ({ "X-Shopify-Hmac-Sha256": createHmac("sha256", secret).update(body).digest("base64") }),
  linear: () => ({ "Linear-Signature": createHmac("sha256", secret).update(body).digest("hex") }),
  pagerduty: () => ({
    "X-PagerDuty-Signature": ["a retired secret", secret].map(s => "v1=" + hmac("sha256", s, body, "hex")).join(","),
  }),
  typeform: () => ({ "Typeform-Signature": "sha256=" + createHmac("sha256", secret).update(body).digest("base64") }),
  sentry: () => ({
    "Sentry-Hook-Signature": hmac("sha256", secret, body, "hex"),
    "Sentry-Hook-Timestamp": timestamp,
  }),
  zoom: () => ({
    "x-zm-request-timestamp": timestamp,
    "x-zm-signature": "v0=" + hmac("sha256", secret, `v0:${timestamp}:${body}`, "hex"),
  }),
  hmac: () => ({
    "X-Acme-Time": timestamp,
    "X-Acme-Id": id,
    "X-Acme-Signature": "v2=" + hmac("sha512", secret, `${id}:${timestamp}:${body}`, "base64"),
  }),
  // A key pair made here, and Discord's own library to say that it is signed as Discord signs.
  discord: async () => {
    const { publicKey, privateKey } = generateKeyPairSync("ed25519");
    const signature = signBytes(null, Buffer.from(timestamp + body), privateKey).toString("hex");
    const key = publicKey.export({ format: "der", type: "spki" }).subarray(-32).toString("hex");
    if (!(await verifyKey(body, signature, timestamp, key))) throw new Error("Discord's library does not take it");
    return { secret: key, "X-Signature-Ed25519": signature, "X-Signature-Timestamp": timestamp };
  },
  gitlab: () => ({ "X-Gitlab-Token": secret }),
  // The asymmetric form of Standard Webhooks: a key pair made here, whose public half is the secret to configure.
  ed25519: () => {
    const { publicKey, privateKey } = generateKeyPairSync("ed25519");
    const signature = signBytes(null, Buffer.from(`${id}.${timestamp}.${body}`), privateKey).toString("base64");
    return {
      secret: "whpk_" + publicKey.export({ format: "der", type: "spki" }).subarray(-32).toString("base64"),
      "webhook-id": id,
      "webhook-timestamp": timestamp,
      "webhook-signature": "v1a," + signature,
    };
  },
};
console.log(JSON.stringify(await headers[provider]()));
