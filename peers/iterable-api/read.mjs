// Reads with Iterable's own TypeScript client whatever the sandbox serves, and prints it as one JSON object:
//   read: {stream: [key, …]}, refused: {method: [what was asked for, …]}, unread: [method, …]
// Its schemas check every answer. An answer they refuse is kept as it came, and named under `refused`.
// Standard input: {url, key, dataTypes, start, end}; standard output: the object, nothing else.
import { readFileSync } from "node:fs";

import { IterableClient, isIterableResponseValidationError } from "@iterable/api";

const asked = JSON.parse(readFileSync(0, "utf-8"));
const client = new IterableClient({ baseUrl: asked.url, apiKey: asked.key, timeout: 30000 });
const span = { startDateTime: asked.start, endDateTime: asked.end };
const read = {};
const refused = {};
const called = new Set();

function keep(stream, ...keys) {
  (read[stream] ??= []).push(...keys);
}

async function ask(method, params) {
  called.add(method);
  try {
    return await client[method](params);
  } catch (error) {
    if (!isIterableResponseValidationError(error)) throw error;
    (refused[method] ??= []).push(params.email ?? params.userId ?? JSON.stringify(params));
    return error.rawResponse;
  }
}

async function pages(method, rows, params, pageSize) {
  const found = [];
  for (let page = 1; ; page += 1) {
    const answer = await ask(method, { ...params, page, pageSize });
    found.push(...answer[rows]);
    if (!answer.nextPageUrl) return found;
  }
}

function sends(row) {
  const column = Object.keys(row).find((name) => /^Total .*\b(Sends|Sent)$/.test(name));
  return column ? Number(row[column]) : null;
}

async function campaigns() {
  const found = await pages("getCampaigns", "campaigns", {}, 50);
  keep("campaigns", ...found.map(({ id, name }) => [id, name]));
  for (const { id, campaignState } of found) {
    keep("campaign", [id, (await ask("getCampaign", { id })).name]);
    for (const row of await ask("getCampaignMetrics", { campaignId: id, ...span })) {
      keep("campaign metrics", [Number(row.id), sends(row)]);
    }
    if (campaignState === "Recurring") {
      const children = await pages("getChildCampaigns", "campaigns", { id }, 50);
      keep("child campaigns", ...children.map((child) => [id, child.id]));
    }
  }
  const { experiments } = await ask("listExperiments", { limit: 100 });
  keep("experiments", ...experiments.map(({ id, name }) => [id, name]));
  const campaignId = found.map(({ id }) => id);
  for (let first = 0; first < campaignId.length; first += 20) {
    const rows = await ask("getExperimentMetrics", { campaignId: campaignId.slice(first, first + 20), ...span });
    // the variants of a campaign share its figures
    keep("experiment metrics", ...new Map(rows.map((row) => [Number(row.campaignId), sends(row)])));
  }
}

async function templates() {
  for (const messageMedium of ["Email", "Push", "InApp", "SMS"]) {
    for (const templateType of ["Base", "Blast", "Triggered", "Workflow"]) {
      const found = await pages("getTemplates", "templates", { templateType, messageMedium }, 50);
      for (const { templateId } of found) {
        keep("templates", [messageMedium, templateType, templateId]);
        const whole = await ask(`get${messageMedium}Template`, { templateId });
        keep("template", [whole.templateId, whole.name]);
        const { clientTemplateId } = whole;
        const named = await ask("getTemplateByClientId", { clientTemplateId });
        keep("template by client id", ...named.templates.map((each) => [clientTemplateId, each.templateId]));
      }
    }
  }
}

async function shelves() {
  for (const { name: catalogName } of await pages("getCatalogs", "catalogNames", {}, 1)) {
    keep("catalogs", catalogName);
    const items = await pages("getCatalogItems", "catalogItemsWithProperties", { catalogName }, 20);
    keep("catalog items", ...items.map(({ itemId, value }) => [catalogName, itemId, value.name]));
    for (const { itemId } of items.slice(0, 20)) {
      const item = await ask("getCatalogItem", { catalogName, itemId });
      keep("catalog item", [catalogName, item.itemId, item.value.name]);
    }
    const { definedMappings } = await ask("getCatalogFieldMappings", { catalogName });
    keep("catalog fields", ...Object.entries(definedMappings).map((pair) => [catalogName, ...pair]));
  }
  for (const { id, name } of (await ask("getSnippets")).snippets) {
    keep("snippets", [id, name]);
    for (const identifier of [id, name]) {
      keep("snippet", [identifier, (await ask("getSnippet", { identifier })).snippet.id]);
    }
  }
  keep("channels", ...(await ask("getChannels")).channels.map(({ id, name }) => [id, name]));
  keep("message types", ...(await ask("getMessageTypes")).messageTypes.map(({ id, name }) => [id, name]));
  keep("webhooks", ...(await ask("getWebhooks")).webhooks.map(({ endpoint }) => endpoint));
  for (const params of [{}, { state: ["Archived"] }]) {
    const found = await pages("getJourneys", "journeys", params, 5);
    keep("journeys", ...found.map(({ id, name, isArchived }) => [id, name, isArchived]));
  }
}

async function people() {
  const names = new Set();
  for (const { id: listId, name, listType } of (await ask("getLists")).lists) {
    keep("lists", [listId, name, listType]);
    const { users } = await ask("getListUsers", { listId });
    keep("list users", ...users.map(({ email }) => [listId, email]));
    keep("list sizes", [listId, (await ask("getListSize", { listId })).size]);
    const preview = await ask("getListPreviewUsers", { listId, size: 5000 });
    keep("list preview", ...preview.users.map((user) => [listId, user]));
    users.forEach(({ email }) => names.add(email));
  }
  keep("user fields", ...Object.entries((await ask("getUserFields")).fields));
  const userIds = new Set([...names].filter((name) => !name.includes("@")));
  for (const email of [...names].filter((name) => name.includes("@"))) {
    const { user } = await ask("getUserByEmail", { email });
    if (user) keep("user by email", [email, user.userId ?? null, user.dataFields.signupDate]);
    if (user?.userId) userIds.add(user.userId);
    const { events } = await ask("getUserEventsByEmail", { email, limit: 200 });
    keep("events by email", ...events.map((each) => [email, each.eventType, each.messageId ?? null]));
    const { inAppMessages } = await ask("getInAppMessages", { email, count: 100 });
    keep("in-app messages", ...inAppMessages.map(({ messageId, campaignId }) => [email, messageId, campaignId]));
    const { messages } = await ask("getSentMessages", { email, limit: 1000 });
    keep("sent messages", ...messages.map(({ messageId, campaignId }) => [email, messageId, campaignId]));
  }
  for (const userId of userIds) {
    const { user } = await ask("getUserByUserId", { userId });
    keep("user by user id", [userId, user.email ?? null]);
    const { events } = await ask("getUserEventsByUserId", { userId, limit: 200 });
    keep("events by user id", ...events.map((each) => [userId, each.eventType, each.messageId ?? null]));
  }
}

async function files(jobId) {
  let state = "enqueued";
  for (let tries = 0; tries < 200 && state !== "completed"; tries += 1) {
    await new Promise((resolve) => setTimeout(resolve, 10));
    state = (await ask("getExportFiles", { jobId })).jobState;
  }
  if (state !== "completed") throw new Error(`export job ${jobId} is still ${state}`);
  const found = [];
  for (let startAfter; ; startAfter = found.at(-1).file) {
    const page = (await ask("getExportFiles", { jobId, startAfter })).files;
    if (page.length === 0) return found;
    found.push(...page);
  }
}

async function exports() {
  for (const dataTypeName of asked.dataTypes) {
    const { jobId } = await ask("startExportJob", { dataTypeName, outputFormat: "application/x-json-stream", ...span });
    for (const { url } of await files(jobId)) {
      const lines = (await (await fetch(url)).text()).split("\n").filter(Boolean);
      keep(`export ${dataTypeName}`, ...lines.map(JSON.parse).map((each) => [each.email ?? null, each.messageId ?? null]));
    }
  }
  keep("export jobs", ...(await ask("getExportJobs")).jobs.map((job) => [job.dataTypeName, job.jobState]));
}

function readers() {
  const methods = new Set();
  for (let each = client; each !== Object.prototype; each = Object.getPrototypeOf(each)) {
    Object.getOwnPropertyNames(each).forEach((name) => /^(get|list)[A-Z]/.test(name) && methods.add(name));
  }
  return [...methods];
}

await campaigns();
await templates();
await shelves();
await people();
await exports();
client.destroy();
console.log(JSON.stringify({ read, refused, unread: readers().filter((name) => !called.has(name)) }));
