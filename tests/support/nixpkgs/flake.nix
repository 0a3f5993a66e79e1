# A stand-in for nixpkgs over the host's tools: only the attributes that docs/nix.md lists, so that
# a flake which uses any other fails here. host.json says which Python the host has.
{
  outputs = { self }:
    let
      host = builtins.fromJSON (builtins.readFile ./host.json);
      inherit (host) system;

      derive = arguments: builtins.derivation ({
        inherit system;
        builder = "/bin/sh";
        PATH = "/usr/bin:/bin";
      } // arguments);
      tree = name: script: derive { inherit name; args = [ "-ec" script ]; };
      empty = name: tree name "mkdir -p $out/lib $out/bin";

      fetchurl = { url, sha256, name }: builtins.derivation {
        inherit name url;
        urls = [ url ];
        builder = "builtin:fetchurl";
        system = "builtin";
        outputHash = sha256;
        outputHashAlgo = "sha256";
        outputHashMode = "flat";
        executable = false;
        unpack = false;
        preferLocalBuild = true;
      };

      mkDerivation = arguments:
        let
          found = (arguments.nativeBuildInputs or [ ]) ++ (arguments.buildInputs or [ ]);
          programs = builtins.concatStringsSep ":" (map (package: "${package}/bin") found);
        in
        derive (removeAttrs arguments [ "meta" "installPhase" ] // {
          PATH = "${programs}:/usr/bin:/bin";
          args = [ "-ec" ''
            runHook() { :; }
            ${arguments.installPhase}
          '' ];
        });

      python = tree "python-${host.version}" ''
        mkdir -p $out/bin $out/lib
        ln -s ${host.python} $out/bin/python3
        ln -s python3 $out/bin/python
      '' // { interpreter = host.python; inherit (host) version; };
    in
    {
      legacyPackages.${system} = {
        inherit fetchurl;
        ${host.attribute} = python;
        stdenv = {
          inherit mkDerivation;
          cc.cc.lib = empty "host-compiler-library";
          cc.libc.version = host.libc;
        };
        zlib = empty "host-zlib";
        autoPatchelfHook = empty "no-patchelf";
        runCommand = name: attributes: script: derive (attributes // { inherit name; args = [ "-ec" script ]; });
        mkShell = { nativeBuildInputs, shellHook, ... }@arguments: derive (arguments // {
          name = "nix-shell";
          builder = "/bin/bash";
          outputs = [ "out" ];
          args = [ "-ec" "echo $nativeBuildInputs > $out" ];
          stdenv = tree "shell-setup" ''
            mkdir $out
            echo 'for p in $nativeBuildInputs; do PATH=$p/bin:$PATH; done; export PATH' > $out/setup
          '';
        });
        # Says what it would hold; the layers themselves are the real function's work.
        dockerTools.buildLayeredImage = { name, tag, contents, extraCommands, config }: derive {
          name = "${name}.json";
          image = builtins.toJSON { inherit name tag contents extraCommands config; };
          passAsFile = [ "image" ];
          args = [ "-ec" "cp $imagePath $out" ];
        };

        # OS packages of the tests.
        graphviz = tree "graphviz" ''
          mkdir -p $out/bin $out/lib
          printf '#!/bin/sh\necho "dot here"\n' > $out/bin/dot
          chmod +x $out/bin/dot
        '';
        libGL = empty "libGL";
      };
    };
}
