// The dashboard that `murre demo` names: some of what its simulators publish.

import type { Dashboard } from "./dashboard.js";

export const DEMO: Dashboard = {
  name: "Demo",
  widgets: [
    { topic: "machine/m01/rms", path: "rms_g", kind: "plot" },
    { topic: "weather/farne/wind", path: "speed_mps", kind: "plot" },
    { topic: "vehicle/v01/position", path: "coordinates", kind: "track" },
    { topic: "machine/m02/rms", path: "peak_g", kind: "plot" },
    { topic: "weather/skomer/temperature", path: "celsius", kind: "number" },
    { topic: "vehicle/v01/motion", path: "speed_mps", kind: "gauge" },
    { topic: "weather/lundy/humidity", path: "percent", kind: "gauge" },
    { topic: "replay/door", path: "", kind: "state" },
    { topic: "replay/power_watts", path: "", kind: "plot" },
  ],
};
