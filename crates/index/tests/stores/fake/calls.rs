//! The calls of the two services.

use ::qdrant_client::qdrant::collections_server::Collections;
use ::qdrant_client::qdrant::points_server::Points;
use ::qdrant_client::qdrant::*;
use tonic::{Request, Response, Status};

use super::State;
use super::points::{Collection, number, point_id, retrieved, selection};

type Answer<T> = Result<Response<T>, Status>;

impl State {
    /// Does something with a collection.
    fn with<T>(
        &self,
        name: &str,
        run: impl FnOnce(&mut Collection) -> Result<T, Status>,
    ) -> Answer<T> {
        let mut all = self.0.lock().unwrap();
        let missing = || Status::not_found(format!("Collection `{name}` doesn't exist!"));
        run(all.get_mut(name).ok_or_else(missing)?).map(Response::new)
    }
}

/// A service of these calls, and of those that are refused.
macro_rules! service {
    (impl $service:ident { $($body:tt)* } refused { $($call:ident($request:ty) -> $answer:ty,)* }) => {
        #[tonic::async_trait]
        impl $service for State {
            $($body)*
            $(
                async fn $call(&self, _: Request<$request>) -> Answer<$answer> {
                    Err(Status::unimplemented(stringify!($call)))
                }
            )*
        }
    };
}

service! {
    impl Collections {
        async fn get(
            &self,
            request: Request<GetCollectionInfoRequest>,
        ) -> Answer<GetCollectionInfoResponse> {
            self.with(&request.get_ref().collection_name, |collection| {
                let params = CollectionParams {
                    vectors_config: collection.made.vectors_config.clone(),
                    ..CollectionParams::default()
                };
                let config = CollectionConfig {
                    params: Some(params),
                    ..CollectionConfig::default()
                };
                let info = CollectionInfo {
                    status: CollectionStatus::Green.into(),
                    config: Some(config),
                    points_count: Some(collection.points.len() as u64),
                    indexed_vectors_count: Some(0),
                    ..CollectionInfo::default()
                };
                Ok(GetCollectionInfoResponse {
                    result: Some(info),
                    ..GetCollectionInfoResponse::default()
                })
            })
        }

        async fn create(
            &self,
            request: Request<CreateCollection>,
        ) -> Answer<CollectionOperationResponse> {
            let made = request.into_inner();
            let mut all = self.0.lock().unwrap();
            if all.contains_key(&made.collection_name) {
                return Err(Status::already_exists("Collection already exists!"));
            }
            all.insert(made.collection_name.clone(), Collection::new(made)?);
            Ok(Response::new(CollectionOperationResponse::default()))
        }

        async fn delete(
            &self,
            request: Request<DeleteCollection>,
        ) -> Answer<CollectionOperationResponse> {
            self.0.lock().unwrap().remove(&request.get_ref().collection_name);
            Ok(Response::new(CollectionOperationResponse::default()))
        }
    }
    refused {
        list(ListCollectionsRequest) -> ListCollectionsResponse,
        update(UpdateCollection) -> CollectionOperationResponse,
        update_aliases(ChangeAliases) -> CollectionOperationResponse,
        list_collection_aliases(ListCollectionAliasesRequest) -> ListAliasesResponse,
        list_aliases(ListAliasesRequest) -> ListAliasesResponse,
        collection_cluster_info(CollectionClusterInfoRequest) -> CollectionClusterInfoResponse,
        collection_exists(CollectionExistsRequest) -> CollectionExistsResponse,
        update_collection_cluster_setup(UpdateCollectionClusterSetupRequest) -> UpdateCollectionClusterSetupResponse,
        create_shard_key(CreateShardKeyRequest) -> CreateShardKeyResponse,
        delete_shard_key(DeleteShardKeyRequest) -> DeleteShardKeyResponse,
        list_shard_keys(ListShardKeysRequest) -> ListShardKeysResponse,
    }
}

service! {
    impl Points {
        async fn upsert(&self, request: Request<UpsertPoints>) -> Answer<PointsOperationResponse> {
            let request = request.into_inner();
            self.with(&request.collection_name, |collection| {
                collection.upsert(request.points)?;
                Ok(PointsOperationResponse::default())
            })
        }

        async fn delete(&self, request: Request<DeletePoints>) -> Answer<PointsOperationResponse> {
            let request = request.into_inner();
            self.with(&request.collection_name, |collection| {
                collection.delete(request.points.as_ref())?;
                Ok(PointsOperationResponse::default())
            })
        }

        async fn get(&self, request: Request<GetPoints>) -> Answer<GetResponse> {
            let request = request.into_inner();
            self.with(&request.collection_name, |collection| {
                let mut answer = GetResponse::default();
                for id in &request.ids {
                    let id = number(Some(id))?;
                    let (payload, vectors) =
                        (request.with_payload.as_ref(), request.with_vectors.as_ref());
                    let point = collection.points.get(&id);
                    let point = point.map(|point| retrieved(id, point, payload, vectors));
                    answer.result.extend(point);
                }
                // In no order.
                answer.result.reverse();
                Ok(answer)
            })
        }

        async fn create_field_index(
            &self,
            request: Request<CreateFieldIndexCollection>,
        ) -> Answer<PointsOperationResponse> {
            let request = request.into_inner();
            self.with(&request.collection_name, |collection| {
                collection.indices.insert(request.field_name);
                Ok(PointsOperationResponse::default())
            })
        }

        async fn scroll(&self, request: Request<ScrollPoints>) -> Answer<ScrollResponse> {
            let request = request.into_inner();
            self.with(&request.collection_name, |collection| collection.scroll(&request))
        }

        async fn count(&self, request: Request<CountPoints>) -> Answer<CountResponse> {
            let request = request.into_inner();
            self.with(&request.collection_name, |collection| {
                let count = collection.find(request.filter.as_ref())?.len() as u64;
                Ok(CountResponse {
                    result: Some(CountResult { count }),
                    ..CountResponse::default()
                })
            })
        }

        async fn update_batch(
            &self,
            request: Request<UpdateBatchPoints>,
        ) -> Answer<UpdateBatchResponse> {
            let request = request.into_inner();
            self.with(&request.collection_name, |collection| {
                let operations = request.operations.into_iter();
                operations
                    .filter_map(|step| step.operation)
                    .try_for_each(|step| collection.update(step))?;
                Ok(UpdateBatchResponse::default())
            })
        }

        async fn query(&self, request: Request<QueryPoints>) -> Answer<QueryResponse> {
            let request = request.into_inner();
            let Some(query::Variant::Nearest(VectorInput {
                variant: Some(vector_input::Variant::Dense(query)),
            })) = request.query.and_then(|query| query.variant)
            else {
                return Err(Status::unimplemented("another query"));
            };
            self.with(&request.collection_name, |collection| {
                let found = collection.find(request.filter.as_ref())?;
                let mut scored: Vec<ScoredPoint> = Vec::new();
                for (id, point) in found {
                    let products = query.data.iter().zip(&point.vector);
                    scored.push(ScoredPoint {
                        id: Some(point_id(id)),
                        payload: selection(&point.payload, request.with_payload.as_ref()),
                        score: products.map(|(a, b)| a * b).sum(),
                        ..ScoredPoint::default()
                    });
                }
                scored.sort_by(|a, b| b.score.total_cmp(&a.score));
                scored.truncate(request.limit.unwrap_or(10) as usize);
                Ok(QueryResponse {
                    result: scored,
                    ..QueryResponse::default()
                })
            })
        }

        async fn facet(&self, request: Request<FacetCounts>) -> Answer<FacetResponse> {
            let request = request.into_inner();
            self.with(&request.collection_name, |collection| {
                if !collection.indices.contains(&request.key) {
                    return Err(Status::invalid_argument("no index to count by"));
                }
                let mut counts = std::collections::BTreeMap::new();
                for (_, point) in collection.find(request.filter.as_ref())? {
                    for value in super::filter::values(&point.payload, &request.key) {
                        if let Some(value::Kind::IntegerValue(value)) = value.kind {
                            *counts.entry(value).or_insert(0) += 1;
                        }
                    }
                }
                let hit = |(value, count)| FacetHit {
                    value: Some(FacetValue {
                        variant: Some(facet_value::Variant::IntegerValue(value)),
                    }),
                    count,
                };
                let hits = counts.into_iter().map(hit);
                Ok(FacetResponse {
                    hits: hits.take(request.limit.unwrap_or(10) as usize).collect(),
                    ..FacetResponse::default()
                })
            })
        }
    }
    refused {
        update_vectors(UpdatePointVectors) -> PointsOperationResponse,
        delete_vectors(DeletePointVectors) -> PointsOperationResponse,
        set_payload(SetPayloadPoints) -> PointsOperationResponse,
        overwrite_payload(SetPayloadPoints) -> PointsOperationResponse,
        delete_payload(DeletePayloadPoints) -> PointsOperationResponse,
        clear_payload(ClearPayloadPoints) -> PointsOperationResponse,
        delete_field_index(DeleteFieldIndexCollection) -> PointsOperationResponse,
        create_vector_name(CreateVectorNameRequest) -> PointsOperationResponse,
        delete_vector_name(DeleteVectorNameRequest) -> PointsOperationResponse,
        search(SearchPoints) -> SearchResponse,
        search_batch(SearchBatchPoints) -> SearchBatchResponse,
        search_groups(SearchPointGroups) -> SearchGroupsResponse,
        recommend(RecommendPoints) -> RecommendResponse,
        recommend_batch(RecommendBatchPoints) -> RecommendBatchResponse,
        recommend_groups(RecommendPointGroups) -> RecommendGroupsResponse,
        discover(DiscoverPoints) -> DiscoverResponse,
        discover_batch(DiscoverBatchPoints) -> DiscoverBatchResponse,
        query_batch(QueryBatchPoints) -> QueryBatchResponse,
        query_groups(QueryPointGroups) -> QueryGroupsResponse,
        search_matrix_pairs(SearchMatrixPoints) -> SearchMatrixPairsResponse,
        search_matrix_offsets(SearchMatrixPoints) -> SearchMatrixOffsetsResponse,
    }
}
