// The dashboard that `murre demo` names: some of what its simulators publish.

import type { Dashboard } from "./dashboard.js";

export const DEMO: Dashboard = {
  name: "Plant overview",
  widgets: [
    { topic: "machine/m01/rms", path: "peak_g", kind: "plot", title: "Pump 1: vibration peaks", wide: true },
    { topic: "weather/farne/wind", path: "speed_mps", kind: "plot", title: "Wind at Farne", wide: true },
    { topic: "weather/skomer/temperature", path: "celsius", kind: "number", title: "Outside temperature" },
    { topic: "machine/m02/rms", path: "rms_g", kind: "number", title: "Pump 2: vibration" },
    { topic: "vehicle/v01/motion", path: "speed_mps", kind: "gauge", title: "Van 1: speed" },
    { topic: "host/+/cpu", path: "percent", kind: "gauge", title: "This computer: processor" },
    { topic: "vehicle/v01/position", path: "coordinates", kind: "track", title: "Van 1: route", wide: true },
    { topic: "replay/power_watts", path: "", kind: "plot", title: "Cold store: power" },
    { topic: "replay/door", path: "", kind: "state", title: "Cold store: door" },
  ],
};
