"""A peer of a Midplane bus in Python, written from docs/protocol.md.

It greets, subscribes and receives (what is missing is counted), publishes, asks, answers, and grants.
"""
from connection import Connection, Lost  # noqa: F401: Lost is part of what a user of this needs
from frames import write_table

WAITING = (3, 4)  # overflow refuse and block: a subscription with a window of its own
NO_SERVER, HANDLER_FAILED, NOT_STARTED, FAILED = 2, 10, 0, 1


def matches(pattern, topic):
    """`*` is one token, `>` one or more last ones."""
    pattern, topic = pattern.split("."), topic.split(".")
    for i, token in enumerate(pattern):
        if token == ">":
            return len(topic) > i
        if i >= len(topic) or token not in ("*", topic[i]):
            return False
    return len(pattern) == len(topic)


class Peer(Connection):
    def __init__(self, endpoint, bus, before=None, **windows):
        """`before`: the same bus over an earlier connection, whose numbers go on."""
        self.ids = {}                                # ours: (is_service, text) -> id
        self.topics = {}                             # ours: text -> number, joined, offered since the last heartbeat
        self.far_names, self.far_subscriptions = [], {}
        self.far_services, self.far_told = set(), False
        self.subscriptions = {}
        self.seen = before.seen if before else {}    # text -> next, series, joined, received, lost, restarts
        self.services, self.requests, self.answers = {}, 0, {}
        self.beats = 0
        super().__init__(endpoint, bus, incarnation=before and before.incarnation, **windows)

    # Receiving.
    def subscribe(self, pattern, overflow=0, messages=1024, size=8 << 20, group=None):
        ident = len(self.subscriptions) + 1
        self.subscriptions[ident] = {"confirmed": False, "messages": 0, "bytes": 0, "told": 0, "window": messages,
                                     "waits": overflow in WAITING and not group}
        self.send("subscribe", write_table("Subscribe", id=ident, pattern=pattern, overflow=overflow, messages=messages,
                                           bytes=size, group=group))
        self.until(lambda: self.subscriptions[ident]["confirmed"])
        return ident

    def on_subscribe_confirmed(self, record, _):
        self.subscriptions[record["mark"]]["confirmed"] = True

    def on_names(self, _, body):
        for name in body["assigned"]:
            self.far_names.append(name["text"])  # the ids count from 1
            if name["service"]:
                continue
            seen = self.seen.setdefault(name["text"], {"next": name["next_number"], "series": name["series"],
                                                       "joined": set(), "received": [], "lost": 0, "restarts": 0})
            if seen["series"] != name["series"]:  # an unknown number is lost
                seen.update(next=name["next_number"], series=name["series"], restarts=seen["restarts"] + 1)
            self.skip(seen, name["next_number"])

    def skip(self, seen, up_to):
        seen["lost"] += max(0, up_to - seen["next"])
        seen["next"] = max(seen["next"], up_to)

    def on_joined(self, record, _):
        self.seen[self.far_names[record["name"] - 1]]["joined"].add(record["mark"])

    def on_heartbeat(self, _, body):
        self.beats += 1
        for last in body["last"] or []:
            self.skip(self.seen[self.far_names[last["name"] - 1]], last["number"] + 1)

    def on_message(self, record, _):
        seen = self.seen[self.far_names[record["name"] - 1]]
        if not record["flags"] & 1:
            ahead = (record["number"] - seen["next"]) % 2**32
            if ahead >= 2**31:
                return
            self.skip(seen, seen["next"] + ahead)
            seen["next"] += 1
        seen["received"].append(record["payload"])
        for ident in seen["joined"]:
            own = self.subscriptions[ident]
            own["messages"], own["bytes"] = own["messages"] + 1, own["bytes"] + len(record["payload"])
            if own["waits"] and (own["messages"] - own["told"]) * 4 >= own["window"]:
                own["told"] = own["messages"]
                self.send("subscription_grant", name=ident, mark=own["bytes"], number=own["messages"])

    # Publishing.
    def last_numbers(self):
        """Of every topic offered since the heartbeat before."""
        return [{"name": self.ids[False, text], "number": topic["number"]}
                for text, topic in self.topics.items() if topic.pop("offered", False)]

    def name(self, service, text, **fields):
        if (service, text) not in self.ids:
            self.ids[service, text] = len(self.ids) + 1
            self.send("names", write_table("Names", assigned=[{"id": len(self.ids), "service": service, "text": text,
                                                               "next_number": 1, **fields}]))
        return self.ids[service, text]

    def on_subscribe(self, _, body):
        self.far_subscriptions[body["id"]] = dict(body, sent=(0, 0), left=(0, 0))
        for text in self.topics:
            self.join(text, body["id"])
        self.send("subscribe_confirmed", mark=body["id"])

    def join(self, text, ident):
        if matches(self.far_subscriptions[ident]["pattern"], text):
            topic = self.topics[text]
            name = self.name(False, text, next_number=topic["number"] + 1, series=1)
            topic["joined"].append(ident)
            self.send("joined", name=name, mark=ident)

    def on_unsubscribe(self, record, _):
        self.far_subscriptions.pop(record["mark"], None)
        for topic in self.topics.values():
            topic["joined"] = [one for one in topic["joined"] if one != record["mark"]]

    def on_subscription_grant(self, record, _):
        if record["name"] in self.far_subscriptions:
            self.far_subscriptions[record["name"]]["left"] = (record["number"], record["mark"])

    def publisher(self, text):
        self.topics[text] = {"number": 0, "joined": []}
        for ident in self.far_subscriptions:
            self.join(text, ident)

    def publish(self, text, payload, lose=False):
        """`lose`: it gets its number and is dropped, as by a full queue."""
        topic = self.topics[text]
        if not topic["joined"]:
            return
        joined = [self.far_subscriptions[ident] for ident in topic["joined"]]
        if lose:
            topic["number"], topic["offered"] = topic["number"] + 1, True
            return
        waiting = [one for one in joined if one["overflow"] in WAITING and not one["group"]]
        self.until(lambda: self.has_room(len(payload)) and all(
            one["sent"][0] - one["left"][0] < one["messages"] and
            (one["sent"][1] - one["left"][1] + len(payload) <= one["bytes"] or one["sent"] == one["left"])
            for one in waiting))
        # Not before the wait: a heartbeat in between would tell a number that is still to be sent.
        topic["number"], topic["offered"] = topic["number"] + 1, True
        for one in waiting:
            one["sent"] = (one["sent"][0] + 1, one["sent"][1] + len(payload))
        groups = sorted({one["group"] for one in joined if one["group"]})
        self.send("message", payload, data=True, name=self.ids[False, text], number=topic["number"] & 0xFFFFFFFF,
                  meta=write_table("Meta", groups=groups) if groups else b"")

    def has_room(self, size):
        on_the_way = [a - b for a, b in zip(self.sent, self.granted)]
        hello = self.far[0]
        return on_the_way[1] < hello["window_records"] and (
            on_the_way[0] == 0 or on_the_way[0] + size + 200 <= hello["window_bytes"])

    # Answering and asking.
    def serve(self, service, function):
        self.services[service] = function
        self.send("serve", write_table("Serve", offered=[{"service": service}]))

    def on_serve(self, _, body):
        self.far_services |= {one["service"] for one in body["offered"] or []}
        self.far_services -= set(body["withdrawn"] or [])
        self.far_told = True

    def on_request(self, record, _):
        function = self.services.get(self.far_names[record["name"] - 1])
        try:
            self.send("reply", function(record["payload"]), mark=record["mark"])
        except Exception as error:  # also when there is no function
            code, fate = (HANDLER_FAILED, FAILED) if function else (NO_SERVER, NOT_STARTED)
            self.send("failure", write_table("Failure", code=code, fate=fate, text=str(error)), mark=record["mark"])

    def ask(self, service, payload, seconds=5.0):
        """Sends a request; the answer will be found in `answers` under the id that this returns."""
        name = self.name(True, service)
        self.requests += 1
        self.send("request", payload, name=name, number=int(seconds * 1e6), mark=self.requests)
        return self.requests

    def on_reply(self, record, _):
        self.answers[record["mark"]] = record["payload"]

    def on_failure(self, record, body):
        self.answers[record["mark"]] = body

    def close(self):
        self.socket.close()
