// A receiver that verifies what it gets with two libraries that nobody here wrote. It prints a line of JSON a request.
import { createServer } from "node:http";
import { Webhook as Standard } from "standardwebhooks";
import { Webhook as Svix } from "svix";

const secret = process.argv[2];
const outcome = (verify) => {
  try {
    verify();
    return "ok";
  } catch (fault) {
    return fault.message;
  }
};

const server = createServer((request, response) => {
  const pieces = [];
  request.on("data", (piece) => pieces.push(piece));
  request.on("end", () => {
    const body = Buffer.concat(pieces).toString("utf8");
    const { headers } = request;
    console.log(JSON.stringify({
      id: headers["webhook-id"],
      type: JSON.parse(body).type,
      signatures: headers["webhook-signature"].split(" ").length,
      standard: outcome(() => new Standard(secret).verify(body, headers)),
      svix: outcome(() => new Svix(secret).verify(body, headers)),
      tampered: outcome(() => new Standard(secret).verify(body + " ", headers)),
      otherSecret: outcome(() => new Svix("whsec_" + Buffer.alloc(32, 7).toString("base64")).verify(body, headers)),
    }));
    response.writeHead(204).end();
  });
});
server.listen(0, "127.0.0.1", () => console.log("listening " + server.address().port));
