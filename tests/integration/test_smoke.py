def test_one(any_probe, nginx):
    p = any_probe()
    done = p.get(nginx.https_url("/small"))
    print(done, done.told)
    assert done.status == 200
    g = p.group(nginx.https_url("/1k"), 500, parallel=100)
    print(g)
    assert g.statuses == {"200": 500}
    print(p.stats())
