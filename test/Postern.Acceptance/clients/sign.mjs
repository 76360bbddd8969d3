// Signs a body as the provider's own library does, and prints the headers: node sign.mjs PROVIDER SECRET TIMESTAMP BODY
import { createHmac, generateKeyPairSync, sign as signBytes } from "node:crypto";
import { sign } from "@octokit/webhooks-methods";
import { Webhook as Standard } from "standardwebhooks";
import { Webhook as Svix } from "svix";
import Stripe from "stripe";

const [provider, secret, timestamp, body] = process.argv.slice(2);
const seconds = Number(timestamp);
const id = "msg_" + seconds;
const headers = {
  standard: () => ({ "webhook-id": id, "webhook-timestamp": timestamp, "webhook-signature": new Standard(secret).sign(id, new Date(seconds * 1000), body) }),
  svix: () => ({ "svix-id": id, "svix-timestamp": timestamp, "svix-signature": new Svix(secret).sign(id, new Date(seconds * 1000), body) }),
  stripe: () => ({ "Stripe-Signature": Stripe.webhooks.generateTestHeaderString({ payload: body, secret, timestamp: seconds }) }),
  github: async () => ({ "X-Hub-Signature-256": await sign(secret, body) }),
  // Slack ships no signer: this is the rule of its documentation.
  slack: () => ({ "X-Slack-Request-Timestamp": timestamp, "X-Slack-Signature": "v0=" + createHmac("sha256", secret).update(`v0:${timestamp}:${body}`).digest("hex") }),
  gitlab: () => ({ "X-Gitlab-Token": secret }),
  // The asymmetric form of Standard Webhooks: a key pair made here, whose public half is the secret to configure.
  ed25519: () => {
    const { publicKey, privateKey } = generateKeyPairSync("ed25519");
    const signature = signBytes(null, Buffer.from(`${id}.${timestamp}.${body}`), privateKey).toString("base64");
    return { secret: "whpk_" + publicKey.export({ format: "der", type: "spki" }).subarray(-32).toString("base64"), "webhook-id": id, "webhook-timestamp": timestamp, "webhook-signature": "v1a," + signature };
  },
};
console.log(JSON.stringify(await headers[provider]()));
