#include "cli/cli.h"
#include "base/schema.h"
#include <errno.h>
#include <stdlib.h>

/* clang-format off */
#define AS_OPTION { "--as", "NAME", "As this operator, who has signed in with feira login; default as who owns the machine." }
static const struct cli_option serve_options[] = {
    { "--listen", "HOST:PORT", "Where to answer; default 127.0.0.1:8080. Port 0 takes a free one." },
    { "--workers", "N", "Threads that answer; default one per core." },
    { "--data", "DIR", "Where the shop's data is; default SHOP/data." },
    { "--log", "FORM", "human or json; default human on a terminal, else json." },
    { "--dev", NULL, "Watch the folder and publish whenever a file is saved." },
    { "--ca-file", "FILE", "Certificates that the calls of plugins trust; default the system's." },
    { "--call-local", NULL, "For tests only: plugins may call this machine and private networks, also without TLS." },
    { "--resolve", "LIST", "For tests: HOST:PORT:ADDRESS, with commas between, for the calls of plugins and webhooks." },
    { "--streams", "N", "Who may listen to server-sent events at once, on each worker; default 4000." },
    { "--allow-private", NULL, "Webhooks may go to this machine and private networks, also without TLS: for development." },
    { NULL, NULL, NULL } };
static const struct cli_option data_option[] = { { "--data", "DIR", "Where the shop's data is; default SHOP/data." }, { NULL, NULL, NULL } };
static const struct cli_option publish_options[] = {
    { "--data", "DIR", "Where the shop's data is; default SHOP/data." },
    AS_OPTION,
    { NULL, NULL, NULL } };
static const struct cli_option doctor_options[] = {
    { "--data", "DIR", "Where the shop's data is; default SHOP/data." },
    { "--json", NULL, "Print the findings as one JSON document." },
    { NULL, NULL, NULL } };
static const struct cli_option backup_options[] = {
    { "--data", "DIR", "Where the shop's data is; default SHOP/data." },
    { "--follow", "DIR", "Keep a second copy in DIR, always a moment behind, from now on and at every start." },
    { "--keep", "TIME", "With --follow: how long every moment can be brought back; default 7d." },
    { "--snapshot-every", "TIME", "With --follow: how often a snapshot is written; default 24h." },
    { "--unfollow", NULL, "Keep no second copy any more; what was written stays." },
    { NULL, NULL, NULL } };
static const struct cli_option restore_options[] = {
    { "--data", "DIR", "Where the shop's data is; default SHOP/data." },
    { "--from", "DIR", "From a second copy instead of a file: the newest that is there." },
    { "--at", "TIME", "With --from: as of that moment, for example 2026-11-22T10:00:00Z." },
    { "--accept-damage", NULL, "With --from: where it is damaged, up to there." },
    { NULL, NULL, NULL } };
static const struct cli_option needs_options[] = {
    { "--data", "DIR", "Where the shop's data is; default SHOP/data." },
    { "--json", NULL, "Print it as one JSON document." },
    { NULL, NULL, NULL } };
static const struct cli_option person_options[] = {
    { "--data", "DIR", "Where the shop's data is; default SHOP/data." },
    { "--give-up", NULL, "Erase also where the shop owes the customer money, which is lost to him then." },
    { "--state", "STATE", "Only asked, held, done or withdrawn (requests)." },
    { "--json", NULL, "Print the answer as one JSON document." },
    { NULL, NULL, NULL } };
static const struct cli_option privacy_options[] = {
    { "--data", "DIR", "Where the shop's data is; default SHOP/data." },
    { "--lang", "LANG", "en or zh-CN; default: as LC_ALL or LANG says, else en." },
    { "--markdown", NULL, "Print it as Markdown." },
    { "--html", NULL, "Print it as a web page of its own." },
    { "--json", NULL, "Print the field catalogue, with the notice, as one JSON document." },
    { "--access", NULL, "Print instead how often which plugin read which personal field, by day." },
    { NULL, NULL, NULL } };
static const struct cli_option prune_options[] = {
    { "--data", "DIR", "Where the shop's data is; default SHOP/data." },
    { "--dry-run", NULL, "Only say what would go." },
    { "--yes", NULL, "Drop it." },
    { NULL, NULL, NULL } };
static const struct cli_option repin_options[] = {
    { "--data", "DIR", "Where the shop's data is; default SHOP/data." },
    { "--from", "REVISION", "Only rows that go by these rules; default all others." },
    { "--to", "REVISION", "The rules they shall go by; default the live ones." },
    { "--collection", "NAME", "Only rows of this collection." },
    { "--dry-run", NULL, "Only say which rows would be moved." },
    AS_OPTION,
    { NULL, NULL, NULL } };
static const struct cli_option events_options[] = {
    { "--data", "DIR", "Where the shop's data is; default SHOP/data." },
    { "--dead", NULL, "List dead letters: events and jobs that failed ten times and are not tried any more." },
    { "--replay", "ID", "Bring this one to its plugin at once; all: every dead letter." },
    { "--drop", "ID", "Drop this dead letter, for ever." },
    { NULL, NULL, NULL } };
static const struct cli_option ledger_options[] = {
    { "--data", "DIR", "Where the shop's data is; default SHOP/data." },
    { "--from", "TIME", "The statement begins here; default at the first entry." },
    { "--to", "TIME", "The first moment that is not stated any more; default none." },
    { "--json", NULL, "Print the answers as JSON documents, one on a line." },
    { "--freeze", "REASON", "Let nothing be taken from the account." },
    { "--unfreeze", "REASON", "Take that back." },
    { "--close", "REASON", "Let nothing move from or to the account; it must be empty." },
    { "--reopen", "REASON", "Take that back." },
    { NULL, NULL, NULL } };
static const struct cli_option prices_options[] = {
    { "--data", "DIR", "Where the shop's data is; default SHOP/data." },
    { "--before", "TIME", "The days before this moment, as the start of a campaign; default now." },
    { "--days", "N", "How many: 1 to 1100; default 30." },
    { "--channel", "NAME", "Only deals through this channel." },
    { "--json", NULL, "Print the answer as one JSON document." },
    { NULL, NULL, NULL } };
static const struct cli_option webhooks_options[] = {
    { "--data", "DIR", "Where the shop's data is; default SHOP/data." },
    { "--events", "A,B", "Which it hears (add, change): order.paid, 'order.*', '*' (default: all of the shop itself but fact.changed)." },
    { "--label", "TEXT", "Whose it is, for people (add, change)." },
    { "--personal", "A,B", "Personal fields that are sent along (add, change); default none." },
    { "--unordered", NULL, "No message waits for an earlier one about the same order (add, change)." },
    { "--ordered", NULL, "They do wait, as is the default (change)." },
    { "--url", "URL", "Where it is from now on (change)." },
    { "--keep", "DURATION", "How long earlier secrets sign as well (rotate): 1h, 7d, 0s; default 24h." },
    { "--state", "STATE", "Only waiting, taken or given_up (log)." },
    { "--since", "TIME", "Messages from then on (replay): 2030-01-31T12:00:00Z." },
    { "--taken", NULL, "Also those that the endpoint has taken (replay --since); default what was given up." },
    { NULL, NULL, NULL } };
static const struct cli_option rollback_options[] = {
    { "--data", "DIR", "Where the shop's data is; default SHOP/data." },
    { "--to", "GENERATION", "A generation that was live; default the one before." },
    AS_OPTION,
    { NULL, NULL, NULL } };
static const struct cli_option resume_options[] = {
    { "--data", "DIR", "Where the shop's data is; default SHOP/data." },
    { "--campaign", NULL, "NAME is a campaign, where a plugin has that name too." },
    { "--plugin", NULL, "NAME is a plugin, where a campaign has that name too." },
    AS_OPTION,
    { NULL, NULL, NULL } };
static const struct cli_option stop_options[] = {
    { "--data", "DIR", "Where the shop's data is; default SHOP/data." },
    { "--campaign", NULL, "NAME is a campaign, where a plugin has that name too." },
    { "--plugin", NULL, "NAME is a plugin, where a campaign has that name too." },
    { "--reason", "TEXT", "Why, for those who look later." },
    AS_OPTION,
    { NULL, NULL, NULL } };
static const struct cli_option key_options[] = {
    { "--data", "DIR", "Where the shop's data is; default SHOP/data." },
    { "--new", "KIND", "Make a key: pk (a storefront) or sk (a server)." },
    { "--label", "TEXT", "What the new key is for." },
    { "--scopes", "A,B", "Scopes of a new sk; default: all but admin." },
    { "--revoke", "ID", "Revoke a key at once." },
    { NULL, NULL, NULL } };
static const struct cli_option quote_options[] = {
    { "--data", "DIR", "Where the shop's data is; default SHOP/data." },
    { "--json", NULL, "Print the quote document instead of a table." },
    { NULL, NULL, NULL } };
static const struct cli_option explain_options[] = {
    { "--data", "DIR", "Where the shop's data is; default SHOP/data." },
    { "--campaign", "ID", "Only this campaign or gate, beside those that applied." },
    { "--lang", "LANG", "Sentences in en or zh-CN; default: as LC_ALL or LANG says, else en." },
    { "--json", NULL, "Print the quote document instead of a table." },
    { NULL, NULL, NULL } };
static const struct cli_option replay_options[] = {
    { "--data", "DIR", "Where the shop's data is; default SHOP/data." },
    { "--since", "TIME", "Orders placed from then on: 2026-11-01 (the shop's zone), 2026-11-01T00:00:00Z, or 30d for the time since then." },
    { "--until", "TIME", "The first moment whose orders are left out." },
    { "--threads", "N", "How many compute; default one for each core." },
    { "--json", NULL, "Print the result as one JSON document." },
    { NULL, NULL, NULL } };
static const struct cli_option backtest_options[] = {
    { "--data", "DIR", "Where the shop's data is; default SHOP/data." },
    { "--since", "TIME", "Orders placed from then on: 2026-11-01 (the shop's zone), 2026-11-01T00:00:00Z, or 30d for the time since then." },
    { "--until", "TIME", "The first moment whose orders are left out." },
    { "--without", "A,B", "Files of the live rules that are left out, as campaigns/tea.lua." },
    { "--threads", "N", "How many compute; default one for each core." },
    { "--orders", NULL, "With --json: also list each order with both totals." },
    { "--json", NULL, "Print the result as one JSON document." },
    { "--html", NULL, "Print a report with plots, as one page that needs nothing else." },
    { NULL, NULL, NULL } };
static const struct cli_option new_options[] = {
    { "--currency", "CODE", "Of a new shop; default EUR." },
    { "--zone", "NAME", "Time zone of a new shop; default UTC." },
    { NULL, NULL, NULL } };
static const struct cli_option check_options[] = {
    { "--json", NULL, "Print the problems as one JSON document." },
    { "--compliance", NULL, "Ask the plugins' checks only, with the shop's own data: what was live last, and the history of prices." },
    { "--in", "SHOP", "With --compliance: the shop that a draft is for, when it does not lie in its folder campaigns/." },
    { "--data", "DIR", "With --compliance: where the shop's data is; default SHOP/data." },
    { NULL, NULL, NULL } };
static const struct cli_option operators_options[] = {
    { "--data", "DIR", "Where the shop's data is; default SHOP/data." },
    AS_OPTION,
    { "--roles", "A,B", "viewer, author, business, legal, owner (add, role)." },
    { "--off", NULL, "Take the second factor of NAME away, because it was lost (totp)." },
    { NULL, NULL, NULL } };
#define DATA_OPTION { "--data", "DIR", "Where the shop's data is; default SHOP/data." }
static const struct cli_option submit_options[] = {
    DATA_OPTION, AS_OPTION,
    { "--draft", "DRAFT", "Which draft says this from now on; its approvals are void. Default your newest that was not submitted, else a new one." },
    { "--at", "TIME", "When it goes live: \"2026-11-20 20:00\" (the shop's zone) or RFC 3339; default when it is approved." },
    { "--note", "TEXT", "For those who approve." },
    { NULL, NULL, NULL } };
static const struct cli_option drafts_options[] = {
    DATA_OPTION, AS_OPTION,
    { "--json", NULL, "Print it as one JSON document." },
    { "--files", NULL, "Of one draft: the files that differ, before and after." },
    { NULL, NULL, NULL } };
static const struct cli_option approve_options[] = {
    DATA_OPTION, AS_OPTION,
    { "--note", "TEXT", "For the record." },
    { NULL, NULL, NULL } };
static const struct cli_option reject_options[] = {
    DATA_OPTION, AS_OPTION,
    { "--reason", "TEXT", "Why; it is kept." },
    { "--withdraw", NULL, "It is not wanted any more, and is no draft either." },
    { NULL, NULL, NULL } };
static const struct cli_option schedule_options[] = {
    DATA_OPTION, AS_OPTION,
    { "--at", "TIME", "\"2026-11-20 20:00\" (the shop's zone) or RFC 3339." },
    { "--soon", NULL, "As soon as it is approved." },
    { NULL, NULL, NULL } };
static const struct cli_option share_options[] = { DATA_OPTION, AS_OPTION, { NULL, NULL, NULL } };
static const struct cli_option audit_options[] = {
    { "--data", "DIR", "Where the shop's data is; default SHOP/data." },
    AS_OPTION,
    { "--limit", "N", "How many entries, the newest first; default 50." },
    { "--json", NULL, "Print each entry as one line of JSON, with its hash." },
    { "--head", NULL, "Only print number and hash of the last entry, signed: keep it elsewhere." },
    { "--compare", "FILE", "Read the whole log and hold it against such a head; \"-\" reads standard input." },
    { NULL, NULL, NULL } };
static const struct cli_option test_options[] = {
    { "--watch", NULL, "Run again whenever a file was saved, until Ctrl-C." },
    { "--tap", NULL, "Print TAP 13, as it is when nobody is at the terminal." },
    { NULL, NULL, NULL } };

const struct cli_command cli_commands[] = {
    { "serve", "SHOP", "Serve a shop over HTTP.", 1, 1, serve_options, cmd_serve,
      "SHOP is a folder with a shop.lua. The first start makes its data folder and two keys (data/keys.txt).\n"
      "SIGTERM finishes what has begun and stops; SIGHUP publishes what is in the folder; SIGUSR2 hands over to the program as it is\n"
      "now on disk, while new connections wait. Sockets from systemd (LISTEN_FDS) are served instead of --listen.\n"
      "Secrets that settings of plugins name come from the environment (FEIRA_SECRET_NAME) or from files data/secrets/NAME of mode 0600." },
    { "publish", "SHOP", "Make what is in the folder live, under load, or say what is wrong.", 1, 1, publish_options, cmd_publish,
      "The shop goes on under the rules that are live until all is built and checked. A mistake changes nothing.\n"
      "Where shop.lua asks for approvals, this makes a draft, which goes live when it was approved: feira help submit." },
    { "rollback", "SHOP", "Go back to rules that were live before.", 1, 1, rollback_options, cmd_rollback,
      "From the store, not from the folder: while the shop is served it works also when the files are broken or gone.\n"
      "Where the rules ask for approvals, only to what was live with its approvals.\n"
      "See: feira generations SHOP" },
    { "generations", "SHOP", "Which rules were live when, and what is stopped.", 1, 1, data_option, cmd_generations, NULL },
    { "stop", "SHOP NAME", "Stop a campaign or a plugin within a second, until it is resumed.", 2, 2, stop_options, cmd_stop,
      "A campaign does not apply any more, whatever is published; orders with a quote that had it are answered with a fresh one.\n"
      "Of a plugin, routes answer 503, rules are left out (those with on_failure = \"refuse\" refuse the quotes that need them), events\n"
      "and timers wait. What that means for this plugin is printed." },
    { "resume", "SHOP NAME", "Let a stopped or quarantined campaign or plugin work again.", 2, 2, resume_options, cmd_resume,
      "Events and timers of a plugin that waited are carried out now." },
    { "needs", "SHOP", "What every plugin may touch, and why.", 1, 1, needs_options, cmd_needs,
      "What it reads, writes, calls and hears, which hosts it connects to, which personal fields it sees and for what purpose,\n"
      "what it keeps and takes in, and which secrets it may use. What is not listed, it can't reach." },
    { "person", "SHOP DO [CUSTOMER]", "What is kept of a customer, and its end.", 2, 3, person_options, cmd_person,
      "feira person SHOP export CUSTOMER    prints all that is kept of him, row by row, as one JSON document\n"
      "feira person SHOP erase CUSTOMER     erases him, and says what is held, why, and until when\n"
      "feira person SHOP requests           what persons asked for, when an answer is due, and what is still held\n"
      "Erased, his id, name, contacts and addresses are in no table, log or backup made afterwards; what is deleted is overwritten.\n"
      "An open order keeps its contact and address until it has ended, an order that has ended stays for as long as the law asks, without\n"
      "a name. Who orders again under the same id is a new customer." },
    { "privacy", "SHOP", "The privacy notice that follows from what is configured.", 1, 1, privacy_options, cmd_privacy,
      "What is kept of a person and why, on what ground, how long, who sees it, who outside gets something, which rights there are: made from\n"
      "shop.lua (privacy), the manifests of the plugins, and the webhooks that are sent personal fields. Read it before you publish it." },
    { "prune", "SHOP", "Drop what plugins keep and the live rules name no more.", 1, 1, prune_options, cmd_prune,
      "Tables and fields of plugins only grow: what a newer version no longer names stays hidden, so that earlier rules can come\n"
      "back. This says what is hidden and which generations had it; with --yes it is dropped, for ever. Rows that\n"
      "still go by earlier rules come first: feira repin." },
    { "repin", "SHOP PLUGIN", "Move what began under earlier rules of a plugin to newer ones.", 2, 2, repin_options, cmd_repin,
      "A long-lived thing of a plugin (an open group, a bargain) goes by the rules and settings it began under until it ends.\n"
      "This moves rows to the live rules, or to those of --to; who moved which, and when, is kept." },
    { "events", "SHOP", "What plugins are still to hear, and dead letters.", 1, 1, events_options, cmd_events,
      "What a plugin hears after the commit waits here until it was heard, in order for each order, customer, product or campaign.\n"
      "What fails is tried again after 5 s, 30 s, 2, 10 and 30 min, 1, 3, 6 and 12 h; after the tenth time it is a dead letter, and\n"
      "those behind it go on. Replayed, it comes before those that still wait. Jobs that failed as often are dead letters, too.\n"
      "feira help events also lists what plugins can hear." },
    { "ledger", "SHOP [ACCOUNT]", "What accounts have, and what moved when.", 1, 2, ledger_options, cmd_ledger,
      "Without ACCOUNT: whether debits and credits agree in each unit. ACCOUNT that ends in a slash (stock/) lists the accounts whose\n"
      "names begin so. Else its statement: what it had, what moved, what it has. TIME is 2026-11-20, \"2026-11-20 08:00\" (the shop's\n"
      "zone) or RFC 3339. An amount above zero came in; what is only held is no entry. Money is shown in major units." },
    { "prices", "SHOP SKU", "What a product was offered for and sold for, as proof of a \"was\" price.", 2, 2, prices_options, cmd_prices,
      "The lowest price it was offered for, and the lowest and the last it was sold for, after discounts, in the days before a moment; then every\n"
      "offer and deal of that time. TIME is 2026-11-20, \"2026-11-20 08:00\" (the shop's zone) or RFC 3339. Money is in major units." },
    { "webhooks", "SHOP [DO ...]", "Endpoints of other systems that hear what happens.", 1, 4, webhooks_options, cmd_webhooks,
      "feira webhooks SHOP                  lists them: state, what waits, what was given up\n"
      "feira webhooks SHOP add URL          makes one, and shows its secret this once\n"
      "feira webhooks SHOP change ID        with --url, --events, --label, --personal, --ordered, --unordered\n"
      "feira webhooks SHOP rotate ID        a new secret; earlier ones sign as well for --keep\n"
      "feira webhooks SHOP ping ID          sends a message to try it, and says what came back\n"
      "feira webhooks SHOP pause|resume|remove ID\n"
      "feira webhooks SHOP log ID           what was sent or waits, each try with status and time; kept for 14 days\n"
      "feira webhooks SHOP message ID MESSAGE     one message, with its body\n"
      "feira webhooks SHOP replay ID MESSAGE      sends it again; or ID --since TIME: all from then on\n"
      "Messages are signed by the Standard Webhooks specification. What fails is tried again after 5 s, 5 and 30 min, 2, 5, 10, 14, 20\n"
      "and 24 h, and is then given up; who takes nothing for three days, or answers 410, is disabled." },
    { "import", "SHOP FILE.csv", "Bring products in from a CSV file.", 2, 2, data_option, cmd_import,
      "Two forms, told apart by the header: Shopify's product export, and a plain one with the columns\n"
      "sku,title,category,tags,price,stock (title, category, tags and stock may be missing).\n"
      "Bad rows are listed with their line, and then nothing is imported. Works while the shop is served." },
    { "keys", "SHOP", "List, make or revoke API keys.", 1, 1, key_options, cmd_keys,
      "Scopes: products:write stock:write orders:read orders:write refunds:write customers:read customers:write tokens:write webhooks:write\n"
      "quotes:batch admin." },
    { "operators", "SHOP [DO ...]", "The people who run the shop, and what each may do.", 1, 3, operators_options, cmd_operators,
      "feira operators SHOP                        lists them\n"
      "feira operators SHOP add NAME --roles A,B   a new one, and asks for the password (a line of standard input where nobody types)\n"
      "feira operators SHOP role NAME --roles A,B  other roles; ends the operator's sessions\n"
      "feira operators SHOP password NAME          another password; one's own with --as NAME, and the current one first\n"
      "feira operators SHOP totp NAME --as NAME    a second factor: shows the secret for an app, and asks for its first code\n"
      "feira operators SHOP totp NAME --off        takes a lost one away\n"
      "feira operators SHOP remove NAME            ends sessions and rights; the name stays in the audit log and is never given again\n"
      "viewer looks; author submits drafts; business and legal approve the steps that name them; owner may do all of it. Who owns the\n"
      "machine makes the first operator. Whoever makes operators could make some of his own: each is in the audit log." },
    { "login", "SHOP NAME", "Sign in as an operator, for --as NAME.", 2, 2, data_option, cmd_login,
      "Asks for the password, and for the code of the second factor where there is one; where nobody types, each is a line of standard\n"
      "input. The session is good for twelve hours and kept in a file that only you can read (XDG_STATE_HOME/feira/sessions). Its token in\n"
      "FEIRA_SESSION does the same as --as." },
    { "logout", "SHOP NAME", "End the session of --as NAME.", 2, 2, data_option, cmd_logout, NULL },
    { "audit", "SHOP", "Who did what, and what was refused.", 1, 1, audit_options, cmd_audit,
      "Each entry holds a hash over the one before it: feira doctor finds one that was removed, changed or moved, and, by data/audit.head,\n"
      "a log that was cut off. A head that is kept on another machine finds it also where that file was changed: feira audit SHOP --head,\n"
      "and later --compare FILE. Names of operators stay in the log after they have left." },
    { "submit", "SHOP", "Submit what is in the folder, for those who approve.", 1, 1, submit_options, cmd_submit,
      "Built and checked, it becomes a draft: what differs from the live rules, which steps of approval that needs (shop.lua, approvals),\n"
      "and a hash over everything that can change the outcome. Approved, it goes live by itself, at its time; on the rules that it was\n"
      "compared with and no others. Where shop.lua asks for approvals, feira publish, SIGHUP and serve --dev make drafts, too." },
    { "drafts", "SHOP [DRAFT]", "Changes on their way, or one of them with all that is known.", 1, 2, drafts_options, cmd_drafts, NULL },
    { "approve", "SHOP DRAFT HASH", "Approve the next step of a draft.", 3, 3, approve_options, cmd_approve,
      "HASH is the one that feira drafts SHOP DRAFT shows: what you approve is what you saw. Needs --as: people approve, each another one,\n"
      "and none who had a hand in it. Whatever of the draft changes, its time too, makes approvals void." },
    { "reject", "SHOP DRAFT", "Send a draft back, with the reason; one person can, until it is live.", 2, 2, reject_options, cmd_reject,
      "What is live is stopped with feira stop, by one person and at once." },
    { "schedule", "SHOP DRAFT", "Give a draft another time to go live; it has to be approved again.", 2, 2, schedule_options, cmd_schedule,
      "A time that has come while nobody served the shop comes at its start, once." },
    { "share", "SHOP [CAMPAIGN PERCENT]", "Campaigns for a share of the customers, made larger or smaller.", 1, 3, share_options, cmd_share,
      "A campaign says share = { percent = 5, up_to = 50 }: it begins with 5 of 100 customers, always the same ones, and is made larger or\n"
      "smaller at once and without another approval, as far as up_to. 0 withdraws it; prices that were shown hold until they expire." },
    { "quote", "SHOP CART.json", "Price a cart; no server needed.", 2, 2, quote_options, cmd_quote,
      "CART.json is the body of POST /v1/quotes: {\"lines\": [{\"sku\": \"TEA-250\", \"qty\": 2}]}. \"-\" reads standard input." },
    { "replay", "SHOP [ORDER]", "Compute orders again from their evidence, and compare.", 1, 2, replay_options, cmd_replay,
      "Each order is priced from what its quote saw, under the rules that it was made with, and compared with what was kept, to the byte:\n"
      "lines, discounts, shipping, tax, total, and why each campaign did or did not apply. Any difference is named, order and field, and is\n"
      "exit code 1. Beside a shop that is served it runs on threads of low priority." },
    { "backtest", "SHOP [CANDIDATE...]", "Price the orders that were under rules that are not live.", 1, 7, backtest_options, cmd_backtest,
      "A CANDIDATE is a file of campaigns (it takes the place of the live one of its name), a plugin's folder (another version of it), a shop.lua\n"
      "(other settings), or a whole shop's folder; several go together. Orders are priced in their order from their evidence, so that limits of\n"
      "campaigns run out as they would have. Says what it can't know: people would have bought otherwise. Nothing becomes live." },
    { "explain", "SHOP CART.json|ORDER", "Say why each campaign applied to a cart or an order, or why not.", 2, 2, explain_options, cmd_explain,
      "CART.json is the body of POST /v1/quotes, with the codes that were typed; \"-\" reads standard input. Of each campaign: what it took off which\n"
      "line, or the reason why not with what it needed and what it saw, the place of that in its file (when[2].subtotal), or the\n"
      "campaign that it gave way to, and by which rule. At most 1000 that did not apply are listed." },
    { "doctor", "SHOP", "Look all data through, and say what to do.", 1, 1, doctor_options, cmd_doctor,
      "The file page by page, the books from the first transfer, holds, payments and refunds against their orders, timers, the disk.\n"
      "Works while the shop is served. Ends with 1 when something is wrong; a warning is not wrong." },
    { "backup", "SHOP [FILE]", "Write a checked copy of all data, once or all the time, while the shop works on.", 1, 2, backup_options, cmd_backup,
      "FILE is as of one moment, and is read whole and checked before it has its name. It holds what customers have bought.\n"
      "With --follow DIR (on another disk) whoever serves the shop writes each commit there, too, less than a second behind; when DIR is\n"
      "full or gone the shop goes on, and feira status, feira doctor and GET /metrics say how far behind it is. Back: feira restore." },
    { "restore", "SHOP [FILE]", "Bring a backup back; what is there is moved aside.", 1, 2, restore_options, cmd_restore,
      "The shop must not be served. What comes back is checked first; nothing is removed.\n"
      "feira restore SHOP --from DIR --at 2026-11-22T10:00:00Z brings back what was committed until then." },
    { "status", "SHOP", "One screen: how the shop is, and what is wrong.", 1, 1, data_option, cmd_status,
      "With the functions of plugins and campaigns that took the most time; all of them are in GET /metrics." },
    { "new", "KIND NAME", "Begin a shop, a campaign or a plugin.", 2, 2, new_options, cmd_new,
      "feira new shop NAME            a folder with shop.lua, a campaign, a catalogue and a cart to try\n"
      "feira new campaign SHOP/NAME   SHOP/campaigns/NAME.lua\n"
      "feira new plugin NAME          a folder with plugin.lua, rules.lua and specs\n"
      "feira new editor FOLDER        writes what an editor needs to know (.luarc.json, .luacheckrc, .feira/meta) again\n"
      "What is there already is never written over." },
    { "check", "PATH", "List everything that is wrong with a shop's or a plugin's files.", 1, 1, check_options, cmd_check,
      "PATH is a shop's folder, one file of its campaigns, or a plugin's folder, which is loaded as a shop would load it. What the code\n"
      "of plugins touches is held against what plugin.lua names. When luacheck is installed and nothing is wrong, its warnings follow.\n"
      "Nothing is written; a shop that is being served can be checked. Warnings alone are exit code 0, errors 3.\n"
      "With --compliance PATH is a shop's folder or a draft of a campaign; what plugins' checks say of it now is listed, with the rule, the\n"
      "article, what was seen and what would do. Of a draft elsewhere: feira check --compliance DRAFT.lua --in SHOP." },
    { "test", "PATH", "Run the specs of a shop or a plugin, offline and under a clock of their own.", 1, 1, test_options, cmd_test,
      "PATH is a shop's folder (its specs are SHOP/test/*.lua, and those of its plugins), a plugin's folder (NAME/test/*.lua), or\n"
      "one spec. Each test has an empty shop in memory; a plugin's specs say with t:shop what it is. When a test fails, 1 is the\n"
      "exit code. What specs can do: the part \"feira.test\" of plugins/README.md." },
    { "repl", "SHOP", "Try the words of campaigns and specs, line by line.", 1, 1, NULL, cmd_repl,
      "A console in the sandbox, with promo, money, time, and t as in specs, on a shop in memory that has SHOP/catalogue.csv and\n"
      "SHOP/campaigns. What goes on over several lines is asked for; an empty line gives up on it. Ctrl-D leaves." },
    { "help", "[COMMAND]", "Explain a command.", 0, 1, NULL, cmd_help,
      "feira help events lists what plugins can hear, and feira help hooks what they can contribute." },
    { "version", "", "Print the version.", 0, 0, NULL, cmd_version, NULL },
    { 0 },
};
/* clang-format on */

int cli_fail(const struct err *e)
{
    fprintf(stderr, "feira: %s\n", e->text);
    switch (e->code) {
    case ERR_LOCKED:
        return EXIT_LOCKED;
    case ERR_SCRIPT:
    case ERR_FUEL:
    case ERR_MEMORY_CAP:
    case ERR_INVALID:
    case ERR_OVERFLOW:
        return EXIT_BROKEN;
    default:
        return EXIT_FAILED;
    }
}

int cli_read_file(const char *path, struct buf *out, struct err *err)
{
    enum { FILE_MAX = 256 << 20 };
    FILE *f = strcmp(path, "-") == 0 ? stdin : fopen(path, "rb");
    if (!f)
        return err_set(err, ERR_NOT_FOUND, "\"%s\" can't be read: %s.", path, strerror(errno));
    int rc = 0;
    for (;;) {
        char *room = buf_reserve(out, 1 << 16);
        if (!room) {
            rc = err_set(err, ERR_NOMEM, "Out of memory while reading \"%s\".", path);
            break;
        }
        size_t n = fread(room, 1, 1 << 16, f);
        out->len += n;
        if (out->len > FILE_MAX)
            rc = err_set(err, ERR_TOO_LARGE, "\"%s\" is larger than 256 MiB; split it.", path);
        else if (n == 0 && ferror(f))
            rc = err_set(err, ERR_IO, "\"%s\" can't be read: %s.", path, strerror(errno));
        if (n == 0 || rc < 0)
            break;
    }
    if (f != stdin)
        fclose(f);
    return rc;
}

/* --- the command line ------------------------------------------------------------------------------------------------ */

static int usage(const struct cli_command *c, const char *problem, const char *what)
{
    fprintf(stderr, "feira %s: %s%s\n", c->name, problem, what);
    fprintf(stderr, "usage: feira %s%s%s%s; feira help %s explains it\n", c->name, *c->usage ? " " : "", c->usage,
            c->options ? " [options]" : "", c->name);
    return EXIT_USAGE;
}

static int find_option(const struct cli_command *c, struct slice name)
{
    for (int i = 0; c->options && c->options[i].name; i++)
        if (slice_is(name, c->options[i].name))
            return i;
    return -1;
}

/* --name VALUE, --name=VALUE and --flag; "--" ends options. */
static int parse(const struct cli_command *c, int argc, char **argv, struct cli_args *out)
{
    bool options_end = false;
    for (int i = 0; i < argc; i++) {
        if (!options_end && strcmp(argv[i], "--") == 0) {
            options_end = true;
            continue;
        }
        if (options_end || strncmp(argv[i], "--", 2) != 0) {
            if (out->count == c->max_args)
                return usage(c, "one argument too many: ", argv[i]);
            out->positional[out->count++] = argv[i];
            continue;
        }
        const char *equals = strchr(argv[i], '=');
        struct slice name = equals ? slice_of(argv[i], (size_t)(equals - argv[i])) : slice_str(argv[i]);
        int k = find_option(c, name);
        if (k < 0)
            return usage(c, "there is no option ", argv[i]);
        if (!c->options[k].value)
            out->values[k] = "";
        else if (equals)
            out->values[k] = equals + 1;
        else if (i + 1 < argc)
            out->values[k] = argv[++i];
        else
            return usage(c, "a value is missing behind ", argv[i]);
        if (strcmp(c->options[k].name, "--as") == 0)
            out->as = out->values[k];
    }
    return out->count < c->min_args ? usage(c, "an argument is missing", "") : EXIT_DONE;
}

int cli_run(int argc, char **argv)
{
    const char *names[64];
    size_t n = 0;
    if (argc < 2) {
        cli_overview(stderr);
        return EXIT_USAGE;
    }
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)
        return cmd_help(&(struct cli_args){ 0 });
    if (strcmp(argv[1], "--version") == 0)
        return cmd_version(&(struct cli_args){ 0 });
    for (const struct cli_command *c = cli_commands; c->name; c++) {
        if (strcmp(argv[1], c->name) == 0) {
            struct cli_args a = { .argv = argv };
            if (argc == 3 && (strcmp(argv[2], "--help") == 0 || strcmp(argv[2], "-h") == 0))
                return cmd_help(&(struct cli_args){ .positional = { c->name }, .count = 1 });
            int rc = parse(c, argc - 2, argv + 2, &a);
            return rc ? rc : c->run(&a);
        }
        names[n++] = c->name;
    }
    names[n] = NULL;
    const char *near = nearest_word(slice_str(argv[1]), names);
    fprintf(stderr, "feira: there is no command \"%s\"%s%s%s; see: feira help\n", argv[1], near ? "; did you mean \"" : "",
            near ? near : "", near ? "\"" : "");
    return EXIT_USAGE;
}
