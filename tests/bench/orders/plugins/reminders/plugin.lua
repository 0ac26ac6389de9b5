return {
  name = "reminders",
  version = "1.0.0",
  api = 1,
  title = "Reminders",
  about = "Sets a timer for whoever asks, and does nothing when it is due.",
  routes = {
    ["POST /reminders/{name}"] = {
      run = "events.set", auth = "anyone", about = "Reminds in so many milliseconds.",
      body = { within_ms = { type = "integer", min = 0, max = 5000000000 } },
    },
  },
  timers = { remind = "events.remind" },
}
