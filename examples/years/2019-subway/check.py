"""The shortest way through a net of stations."""

import networkx as nx

net = nx.Graph()
net.add_node("park", zone=1)
net.add_edges_from([("park", "museum"), ("museum", "harbour")])
assert nx.shortest_path(net, "park", "harbour") == ["park", "museum", "harbour"]
assert net.node["park"]["zone"] == 1
