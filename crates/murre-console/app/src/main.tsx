// Murre's page: shows what is published under a filter, live and with what was before, and publishes.
//
// Layout
//   model/   what is known, without a document: watch (what comes) fills topics (by name) and level (the tree), of which
//            each topic keeps its last messages; rows (what the list has); series (one topic's numbers, with their gaps),
//            density (how many of them are asked for), silence (when one is overdue); payload; dashboard (what is pinned),
//            field (what it is called), shelf (where it is kept), demo, live (what a pinned field shows); settings and
//            trial (a view beside what it is a view of); stats (the broker's own figures), admin (who is connected), poll
//            (asks again), clients (their rates), units
//   view/    what is seen: app puts the parts together; readings is the list, detail one topic in full, who its
//            publishers and subscribers; dashboards; try_it; overview; clients the list, client one in full; trend a
//            small plot
//
// A message only changes the model. What is seen follows a few times a second, so that neither the number of topics nor
// the rate of messages can stall the page.

import { connect } from "murre";
import { render } from "preact";
import "uplot/dist/uPlot.min.css";
import "../../page/base.css";
import "./style/page.css";
import "./style/readings.css";
import "./style/detail.css";
import "./style/dashboards.css";
import "./style/figures.css";
import "./style/overview.css";
import "./style/clients.css";
import "./style/try.css";
import { App } from "./view/app.js";

/** Milliseconds: a broker that comes back is found within these. */
const RETRY = { min: 250, max: 2000 };

const client = connect(location.origin, { agent: "murre console", backoff: RETRY });
const place = document.getElementById("console");
if (place) render(<App client={client} />, place);
