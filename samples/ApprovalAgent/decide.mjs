// Plays the approval service: posts a decision, signed as Stripe's library signs.
//
//   npm ci                                                          once, in this folder
//   export APPROVAL_SECRET=…       what PUT /api/v1/approval-services/default was given
//   node decide.mjs apr_… approved|rejected|request_changes ["a comment for the agent"]
import Stripe from "stripe";

const [requestId, decision, feedback] = process.argv.slice(2);
const { APPROVAL_SECRET: secret, POSTERN_URL: server = "http://127.0.0.1:7400" } = process.env;
if (!requestId || !decision || !secret) {
  console.error("usage: APPROVAL_SECRET=… node decide.mjs REQUEST DECISION [COMMENT]");
  process.exit(2);
}
const payload = JSON.stringify({
  id: "evt_" + Date.now(), type: "response.submitted", createdAt: new Date().toISOString(),
  data: { requestId, response: { decision, ...(feedback ? { feedback } : {}) } },
});
const answer = await fetch(server + "/api/v1/webhooks/approval-response", {
  method: "POST",
  headers: {
    "Content-Type": "application/json",
    "Stripe-Signature": Stripe.webhooks.generateTestHeaderString({ payload, secret }),
  },
  body: payload,
});
console.log(answer.status, await answer.text());
process.exit(answer.ok ? 0 : 1);
