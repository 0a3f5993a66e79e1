{
  description = "envlock: lock Python environments by date, install exactly that, see drift";

  inputs.nixpkgs.url = "github:NixOS/nixpkgs/nixos-unstable";

  outputs =
    { self, nixpkgs }:
    let
      inherit (builtins.fromTOML (builtins.readFile ./pyproject.toml)) project;

      systems = [
        "x86_64-linux"
        "aarch64-linux"
        "x86_64-darwin"
        "aarch64-darwin"
      ];
      forEachSystem =
        make:
        builtins.listToAttrs (
          map (system: {
            name = system;
            value = make nixpkgs.legacyPackages.${system};
          }) systems
        );

      # The same list as project.dependencies in pyproject.toml; scripts/check-flake compares them.
      dependencies = py: [
        py.click
        py.cvss
        py.installer
        py.jinja2
        py.packaging
        py.pip
        py.pip-tools
        py.pycurl
        py.pysequoia
        py.rich
        py.ruamel-yaml
        py.tomli
        py.tomli-w
        py.uv
        py.zstandard
      ];

      # Likewise project.optional-dependencies.
      optional-dependencies = py: {
        sbom = [
          py.cyclonedx-python-lib
          py.spdx-tools
        ];
      };

      envlock =
        pkgs:
        pkgs.python3Packages.buildPythonApplication {
          pname = project.name;
          inherit (project) version;
          pyproject = true;
          src = self;
          build-system = [ pkgs.python3Packages.hatchling ];
          # What users of pip choose, those of Nix have.
          dependencies =
            dependencies pkgs.python3Packages ++ (optional-dependencies pkgs.python3Packages).sbom;
          optional-dependencies = optional-dependencies pkgs.python3Packages;
          # The tests need an index on the network; scripts/test runs them.
          doCheck = false;
          pythonImportsCheck = [
            "envlock"
            "envlock.cli.app"
          ];
          meta = {
            inherit (project) description;
            mainProgram = "envlock";
          };
        };
    in
    {
      packages = forEachSystem (pkgs: {
        default = envlock pkgs;
      });

      apps = forEachSystem (pkgs: {
        default = {
          type = "app";
          program = "${envlock pkgs}/bin/envlock";
        };
      });

      devShells = forEachSystem (pkgs: {
        default = pkgs.mkShell {
          packages = [
            pkgs.git
            pkgs.ruff
            (pkgs.python3.withPackages (
              py:
              dependencies py
              ++ (optional-dependencies py).sbom
              ++ [
                py.build
                py.editables
                py.hatchling
                py.hypothesis
                py.jsonschema
                py.mypy
                py.pytest
                py.pytest-socket
                py.pytest-xdist
                py.rfc8785
              ]
            ))
          ];
          # Entry points (engines, exporters) need an installed distribution: an editable one, over
          # what Nix provides.
          shellHook = ''
            venv=.cache/nix-venv
            if [ ! -x "$venv/bin/envlock" ]; then
              python -m venv --system-site-packages "$venv"
              "$venv/bin/python" -m pip install --quiet --no-deps --no-build-isolation --editable .
            fi
            export PATH="$PWD/$venv/bin:$PATH"
          '';
        };
      });
    };
}
