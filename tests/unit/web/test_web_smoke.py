def test_smoke(web):
    print(web.client.get("/healthz").data, web.client.get("/readyz").data)
    r = web.send({"to": "+1 555 123 4567", "text": "hello"})
    print(r.status, r.headers, r.data)
    web.accept()
    print(web.get(r.headers["Location"]).json)
    print(web.get("/v1/messages/wamid.HBgLACCEPTED").json)
    print(web.send({"to": "12", "text": "hello"}).json)
    print(web.client.post("/v1/messages", json={}).headers)
    from tests.unit.web.conftest import delivery, text_message, value_of

    d = delivery(value_of(messages=[text_message()]))
    print(web.webhook(d).data, web.webhook(d).status, web.webhook(d, secret="x").data)
    print(web.client.get("/metrics").data[:300])
    print(web.client.get("/nothing").data, web.client.put("/v1/messages").data)
