// Node.js' own https module, with the PEM file or the .p12 file.
import fs from "node:fs";
import https from "node:https";
import readline from "node:readline";

const [host, port, ca] = process.argv.slice(2);
const here = (_name, options, found) =>
  options.all ? found(null, [{ address: "127.0.0.1", family: 4 }]) : found(null, "127.0.0.1", 4);

function identity([form, file, password]) {
  if (form === "none") return {};
  if (form === "pem") return { cert: fs.readFileSync(file), key: fs.readFileSync(file) };
  return { pfx: fs.readFileSync(file), passphrase: fs.readFileSync(password, "utf8") };
}

function ask(question) {
  return new Promise((resolve, reject) => {
    const options = { host, port, lookup: here, ca: fs.readFileSync(ca), agent: false, ...identity(question) };
    https
      .get(options, (answer) => {
        const parts = [];
        answer.on("data", (part) => parts.push(part));
        answer.on("end", () => resolve([answer.statusCode, Buffer.concat(parts)]));
        answer.on("error", reject);
      })
      .on("error", reject);
  });
}

for await (const line of readline.createInterface({ input: process.stdin })) {
  const question = line.split("\t");
  const [status, body] = await ask(question).catch((error) => [0, Buffer.from(String(error))]);
  console.log(`${status}\t${body.toString("base64")}`);
}
