#!/bin/sh
# Rights on Kafka of each kind of process; printed by `marquee kafka acls --script`.
# ADMIN_CONFIG is a file with the client settings of an administrator.
set -eu
set -- kafka-acls.sh --bootstrap-server "$BOOTSTRAP" --command-config "$ADMIN_CONFIG"

"$@" --add --allow-principal User:marquee-gateway-app \
  --operation Describe --operation Write \
  --topic marquee.movies --topic marquee.ratings

"$@" --add --allow-principal User:marquee-gateway-consumer \
  --operation Create --operation Describe --operation DescribeConfigs --operation Read \
  --topic marquee.movies --topic marquee.ratings

"$@" --add --allow-principal User:marquee-gateway-consumer \
  --operation Create --operation Describe --operation DescribeConfigs \
  --topic marquee.models --topic marquee.models.dead

"$@" --add --allow-principal User:marquee-gateway-consumer \
  --operation Create --operation Describe --operation DescribeConfigs --operation Write \
  --topic marquee.movies.dead --topic marquee.ratings.dead

"$@" --add --allow-principal User:marquee-gateway-consumer \
  --operation Read \
  --group marquee.gateway

"$@" --add --allow-principal User:marquee-content-consumer \
  --operation Describe --operation DescribeConfigs --operation Read \
  --topic marquee.movies --topic marquee.ratings --topic marquee.models

"$@" --add --allow-principal User:marquee-content-consumer \
  --operation Describe --operation DescribeConfigs --operation Write \
  --topic marquee.movies.dead --topic marquee.ratings.dead --topic marquee.models.dead

"$@" --add --allow-principal User:marquee-content-consumer \
  --operation Read \
  --group marquee.content

"$@" --add --allow-principal User:marquee-hybrid-consumer \
  --operation Describe --operation DescribeConfigs --operation Read \
  --topic marquee.movies --topic marquee.ratings --topic marquee.models

"$@" --add --allow-principal User:marquee-hybrid-consumer \
  --operation Describe --operation DescribeConfigs --operation Write \
  --topic marquee.movies.dead --topic marquee.ratings.dead --topic marquee.models.dead

"$@" --add --allow-principal User:marquee-hybrid-consumer \
  --operation Read \
  --group marquee.hybrid

"$@" --add --allow-principal User:marquee-user-model-consumer \
  --operation Describe --operation DescribeConfigs --operation Read \
  --topic marquee.movies --topic marquee.ratings --topic marquee.models

"$@" --add --allow-principal User:marquee-user-model-consumer \
  --operation Describe --operation DescribeConfigs --operation Write \
  --topic marquee.movies.dead --topic marquee.ratings.dead --topic marquee.models.dead

"$@" --add --allow-principal User:marquee-user-model-consumer \
  --operation Read \
  --group marquee.user-model

"$@" --add --allow-principal User:marquee-neural-consumer \
  --operation Describe --operation DescribeConfigs --operation Read \
  --topic marquee.movies --topic marquee.ratings --topic marquee.models

"$@" --add --allow-principal User:marquee-neural-consumer \
  --operation Describe --operation DescribeConfigs --operation Write \
  --topic marquee.movies.dead --topic marquee.ratings.dead --topic marquee.models.dead

"$@" --add --allow-principal User:marquee-neural-consumer \
  --operation Read \
  --group marquee.neural

"$@" --add --allow-principal User:marquee-trainer-app \
  --operation Create --operation Describe --operation DescribeConfigs \
  --topic marquee.movies

"$@" --add --allow-principal User:marquee-trainer-app \
  --operation Create --operation Describe --operation DescribeConfigs --operation Write \
  --topic marquee.ratings --topic marquee.models

"$@" --add --allow-principal User:marquee-trainer-app \
  --operation Create --operation Describe --operation DescribeConfigs --operation Read \
  --topic marquee.movies.dead --topic marquee.ratings.dead --topic marquee.models.dead

"$@" --add --allow-principal User:marquee-trainer-consumer \
  --operation Create --operation Describe --operation DescribeConfigs --operation Read \
  --topic marquee.movies --topic marquee.ratings

"$@" --add --allow-principal User:marquee-trainer-consumer \
  --operation Create --operation Describe --operation DescribeConfigs \
  --topic marquee.models --topic marquee.movies.dead --topic marquee.ratings.dead --topic marquee.models.dead

"$@" --add --allow-principal User:marquee-trainer-consumer \
  --operation Read \
  --group marquee.trainer

"$@" --add --allow-principal User:marquee-operator \
  --operation Create --operation Describe --operation DescribeConfigs --operation Read --operation Write \
  --topic marquee.movies --topic marquee.ratings --topic marquee.models

"$@" --add --allow-principal User:marquee-operator \
  --operation Create --operation Delete --operation Describe --operation DescribeConfigs --operation Read --operation Write \
  --topic marquee.movies.dead --topic marquee.ratings.dead --topic marquee.models.dead

"$@" --add --allow-principal User:marquee-producer \
  --operation Describe --operation Write \
  --topic marquee.movies --topic marquee.ratings
